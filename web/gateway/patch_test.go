package gateway

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/internal/errs"
)

// RFC 6902, the cases of its appendix and the corners of RFC 6901.
func TestPatch(t *testing.T) {
	for name, c := range map[string]struct{ doc, op, path, from, value, want string }{
		"A.1 add a member":           {`{"foo":"bar"}`, "add", "/baz", "", `"qux"`, `{"foo":"bar","baz":"qux"}`},
		"A.2 add an element":         {`{"foo":["bar","baz"]}`, "add", "/foo/1", "", `"qux"`, `{"foo":["bar","qux","baz"]}`},
		"A.3 remove a member":        {`{"baz":"qux","foo":"bar"}`, "remove", "/baz", "", "", `{"foo":"bar"}`},
		"A.4 remove an element":      {`{"foo":["bar","qux","baz"]}`, "remove", "/foo/1", "", "", `{"foo":["bar","baz"]}`},
		"A.5 replace":                {`{"baz":"qux","foo":"bar"}`, "replace", "/baz", "", `"boo"`, `{"baz":"boo","foo":"bar"}`},
		"A.6 move a value":           {`{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}`, "move", "/qux/thud", "/foo/waldo", "", `{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}`},
		"A.7 move an element":        {`{"foo":["all","grass","cows","eat"]}`, "move", "/foo/3", "/foo/1", "", `{"foo":["all","cows","eat","grass"]}`},
		"A.8 test":                   {`{"baz":"qux","foo":["a",2,"c"]}`, "test", "/foo/1", "", `2.0`, `{"baz":"qux","foo":["a",2,"c"]}`},
		"A.9 test fails":             {`{"baz":"qux"}`, "test", "/baz", "", `"bar"`, ""},
		"A.10 add a nested member":   {`{"foo":"bar"}`, "add", "/child", "", `{"grandchild":{}}`, `{"foo":"bar","child":{"grandchild":{}}}`},
		"A.12 add to nothing":        {`{"foo":"bar"}`, "add", "/baz/bat", "", `"qux"`, ""},
		"A.14 escapes":               {`{"/":9,"~1":10}`, "test", "/~01", "", `10`, `{"/":9,"~1":10}`},
		"A.15 strings and numbers":   {`{"/":9,"~1":10}`, "test", "/~01", "", `"10"`, ""},
		"A.16 add an array":          {`{"foo":["bar"]}`, "add", "/foo/-", "", `["abc"]`, `{"foo":["bar",["abc"]]}`},
		"copy":                       {`{"a":{"b":1}}`, "copy", "/c", "/a", "", `{"a":{"b":1},"c":{"b":1}}`},
		"the whole":                  {`{"a":1}`, "replace", "", "", `{"b":2}`, `{"b":2}`},
		"remove the whole":           {`{"a":1}`, "remove", "", "", "", ""},
		"remove the last member":     {`{"a":{"b":1}}`, "remove", "/a/b", "", "", `{"a":{}}`},
		"remove what is not there":   {`{"a":1}`, "remove", "/b", "", "", ""},
		"replace what is not there":  {`{"a":1}`, "replace", "/b", "", "1", ""},
		"behind the end":             {`{"a":[1]}`, "add", "/a/2", "", "1", ""},
		"leading zero":               {`{"a":[1,2]}`, "add", "/a/01", "", "1", ""},
		"replace behind the end":     {`{"a":[1]}`, "replace", "/a/-", "", "1", ""},
		"into itself":                {`{"a":{"b":1}}`, "move", "/a/b/c", "/a", "", ""},
		"through a string":           {`{"a":"x"}`, "add", "/a/0", "", "1", ""},
		"objects in another order":   {`{"a":{"b":1,"c":[true,null]}}`, "test", "/a", "", `{"c":[true,null],"b":1}`, `{"a":{"b":1,"c":[true,null]}}`},
		"decimals keep their digits": {`{"a":1.00,"b":"x"}`, "replace", "/b", "", `2.500`, `{"a":1.00,"b":2.500}`},
		"white space":                {"\n { \"a\" : [ 1 , { \"b\" : 2 } ] }\n", "replace", "/a/1/b", "", `3`, `{"a":[1,{"b":3}]}`},
		"huge exponents":             {`{"a":1e999999999}`, "test", "/a", "", `1e999999998`, ""},
	} {
		op := rest.PatchOp{Op: c.op, Path: c.path, From: c.from}
		if c.value != "" {
			op.Value = json.RawMessage(c.value)
		}
		got, err := applyPatch(json.RawMessage(c.doc), []rest.PatchOp{op})
		if (err != nil) != (c.want == "") || string(got) != c.want {
			t.Errorf("%s: %s %v, want %s", name, got, err, c.want)
		}
	}
}

// Copies into itself double a value, and many operations read a large one again
// and again: neither may cost more than a large request does (SMART TRP-28).
func TestAPatchIsBounded(t *testing.T) {
	copies := slices.Repeat([]rest.PatchOp{{Op: "copy", From: "/a", Path: "/a/-"}}, 60)
	tests := slices.Repeat([]rest.PatchOp{{Op: "test", Path: "/b", Value: json.RawMessage(`1`)}}, 500)
	large := `{"a":"` + strings.Repeat("x", 1<<20) + `","b":1}`
	for name, c := range map[string]struct {
		doc string
		ops []rest.PatchOp
	}{
		"doubling":  {`{"a":["some text"]}`, copies},
		"rereading": {large, tests},
		"adding":    {`{"a":[]}`, []rest.PatchOp{{Op: "add", Path: "/a/-", Value: json.RawMessage(`"` + strings.Repeat("x", 3<<20) + `"`)}}},
	} {
		if _, err := applyPatch(json.RawMessage(c.doc), c.ops); !errs.Is(err, errs.TooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if out, err := applyPatch(json.RawMessage(large), tests[:50]); err != nil || string(out) != large {
		t.Errorf("an ordinary patch of a large resource: %v", err)
	}
}

// A patch never breaks JSON and never panics.
func FuzzPatch(f *testing.F) {
	f.Add(`{"a":[1,{"b":"c"}]}`, "move", "/a/0", "/a/1/b", `{"x":null}`)
	f.Add(`{"a":{}}`, "add", "/a/-", "", `[]`)
	f.Fuzz(func(t *testing.T, doc, op, path, from, value string) {
		if !json.Valid([]byte(doc)) || !json.Valid([]byte(value)) || path != "" && path[0] != '/' || from != "" && from[0] != '/' {
			return
		}
		doc, value = compact(doc), compact(value)
		out, err := applyPatch(json.RawMessage(doc), []rest.PatchOp{{Op: op, Path: path, From: from, Value: json.RawMessage(value)}})
		if err == nil && !json.Valid(out) {
			t.Errorf("%s", out)
		}
	})
}

func compact(s string) string {
	var v any
	_ = json.Unmarshal([]byte(s), &v)
	out, _ := json.Marshal(v)
	return string(out)
}
