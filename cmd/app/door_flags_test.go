package app

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/mandate-health/mandate/internal/door"
)

// Every flag of every command that a running server does reaches it.
func TestFlagsReachTheServer(t *testing.T) {
	var cli commands
	parser, err := kong.New(&cli)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, leaf := range parser.Model.Leaves(false) {
		if !actsInside(leaf) {
			continue
		}
		n++
		path := commandPath(leaf)
		fill(leaf.Target)
		sent := leaf.Target.Addr().Interface()
		// What insists on the store for itself is refused below.
		insist := insists(sent)
		raw, err := json.Marshal(sent)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		got, err := insideCommand(door.Call{Command: path, Flags: raw})
		if insist != (err != nil) || !insist && !reflect.DeepEqual(got, sent) {
			t.Errorf("%s: %v\nsent %+v\ngot  %+v", path, err, sent, got)
		}
		if _, ok := sent.(stored); !ok {
			t.Errorf("%s has no store and acts inside a server", path)
		}
	}
	if n < 20 {
		t.Errorf("only %d commands", n)
	}
	for _, path := range []string{"", "keys", "migrate down", "serve", "restore", "no such"} {
		if _, err := insideCommand(door.Call{Command: path, Flags: []byte("{}")}); err == nil {
			t.Errorf("a server does %q", path)
		}
	}
}

// fill gives every field a value that is not zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() || v.Type().Field(i).Anonymous {
				fill(f)
			}
		}
	case reflect.String:
		v.SetString(v.Type().String())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	}
}
