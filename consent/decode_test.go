package consent

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// asLibrary compares with the library, which is the measure.
func asLibrary(t *testing.T, raw string) {
	t.Helper()
	var want any
	wantErr := json.Unmarshal([]byte(raw), &want)
	d := new(document)
	got, err := d.read([]byte(raw))
	if (err == nil) != (wantErr == nil) || wantErr == nil && !reflect.DeepEqual(toMaps(got), want) {
		t.Errorf("%.80q: %v %v, the library says %v %v", raw, toMaps(got), err, want, wantErr)
	}
	// In room that was used before, by itself and by what the library reads.
	d.empty()
	if again, err := d.read([]byte(raw)); wantErr == nil && (err != nil || !reflect.DeepEqual(toMaps(again), want)) {
		t.Errorf("%.80q, again: %v %v, the library says %v", raw, toMaps(again), err, want)
	}
	if wantErr == nil {
		byLibrary := new(document)
		if n := byLibrary.root(byLibrary.ofLibrary(want)); want != nil && !reflect.DeepEqual(toMaps(n), want) {
			t.Errorf("%.80q, through the library: %v", raw, toMaps(n))
		}
	}
}

// toMaps turns a document into what the library reads.
func toMaps(v value) any {
	switch node := v.node(); node.shape {
	case isText:
		return v.str()
	case isNumber:
		f, _ := v.number()
		return f
	case isBool:
		return v.in.string(node.text) == "true"
	case isList:
		out := []any{}
		for i := range v.len() {
			out = append(out, toMaps(v.item(i)))
		}
		return out
	case isObject:
		out := map[string]any{}
		for i := range v.len() {
			out[v.key(i)] = toMaps(v.item(i))
		}
		return out
	}
	return nil
}

// What is read quickly is what the library reads, and what it refuses is refused.
func TestQuickReadingIsTheSame(t *testing.T) {
	for _, raw := range examples(t) {
		asLibrary(t, string(raw))
		// Cut off anywhere it is nothing.
		for i := 0; i < len(raw); i += 17 {
			asLibrary(t, string(raw[:i]))
		}
	}
	for _, raw := range []string{
		``, ` `, `{}`, `[]`, `{"a":}`, `{"a":1,}`, `[1,]`, `[1 2]`, `{"a" "b"}`, `{a:1}`, `{"a":1}x`, `nul`, `nulls`, `truefalse`, `tru`,
		`{"a":1,"a":2}`, `{"a":"\u0041\n\"x\""}`, `{"a":"\x"}`, "{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}", `{"a":"é’"}`, `"\ud800"`, `"open`, `"open\"`,
		`01`, `-0`, `-1`, `1.5`, `1e3`, `1.`, `1e`, `--1`, `+1`, `0`, `10`, `123456789012345678`, `1E400`, `[true,false,null, "x" ]`, "\t{\n}\r ",
		strings.Repeat("[", 70) + strings.Repeat("]", 70), strings.Repeat("[", 20000), `{"":{"":[{}]}}`, "\x00", "{}\x00", "{}\v",
	} {
		asLibrary(t, raw)
	}
}

func FuzzQuickReading(f *testing.F) {
	f.Add(`{"a":[1,"x",null,{"b":true}]}`)
	f.Fuzz(func(t *testing.T, raw string) { asLibrary(t, raw) })
}

// What a cold patient costs, for "go test -bench".
func BenchmarkFiftyConsentsCold(b *testing.B) {
	raw := examples(b)["e1-daughter-meds-appts"]
	b.ReportAllocs()
	for b.Loop() {
		all := make([]Consent, 0, 50)
		for range 50 {
			c, err := Parse(raw)
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, c)
		}
		Compile("rosa", 1, all, Options{})
	}
}
