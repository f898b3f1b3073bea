package sandbox

import (
	"encoding/json"
	"strings"
	"testing"
)

// The rules of RFC 6902 and RFC 6901, one line each.
func TestPatchOperations(t *testing.T) {
	for _, c := range []struct{ doc, ops, want string }{
		{`{"a":1}`, `{"op":"add","path":"/b","value":[2]}`, `{"a":1,"b":[2]}`},
		{`{"a":1}`, `{"op":"add","path":"/a","value":2}`, `{"a":2}`},
		{`{"a":[1,3]}`, `{"op":"add","path":"/a/1","value":2}`, `{"a":[1,2,3]}`},
		{`{"a":[1]}`, `{"op":"add","path":"/a/-","value":2}`, `{"a":[1,2]}`},
		{`{"a":[1]}`, `{"op":"add","path":"/a/2","value":2}`, ``},
		{`{"a":[1]}`, `{"op":"add","path":"/b/c","value":2}`, ``},
		{`{"a":1}`, `{"op":"add","path":"/a/b","value":2}`, ``},
		{`{"a":1}`, `{"op":"add","path":"/b"}`, ``},
		{`{"a":1}`, `{"op":"add","path":"","value":{"z":null}}`, `{"z":null}`},
		{`{"a":1,"b":2}`, `{"op":"remove","path":"/a"}`, `{"b":2}`},
		{`{"a":[1,2]}`, `{"op":"remove","path":"/a/0"}`, `{"a":[2]}`},
		{`{"a":[1,2]}`, `{"op":"remove","path":"/a/00"}`, ``},
		{`{"a":[1,2]}`, `{"op":"remove","path":"/a/-"}`, ``},
		{`{"a":1}`, `{"op":"remove","path":"/b"}`, ``},
		{`{"a":1}`, `{"op":"remove","path":""}`, ``},
		{`{"a":{"b":1}}`, `{"op":"replace","path":"/a/b","value":"x"}`, `{"a":{"b":"x"}}`},
		{`{"a":1}`, `{"op":"replace","path":"/b","value":1}`, ``},
		{`{"a":{"b":1}}`, `{"op":"move","from":"/a/b","path":"/c"}`, `{"a":{},"c":1}`},
		{`{"a":{"b":1}}`, `{"op":"move","from":"/a","path":"/a/b"}`, ``},
		{`{"a":[1,2,3]}`, `{"op":"move","from":"/a/0","path":"/a/2"}`, `{"a":[2,3,1]}`},
		{`{"a":{"b":1}}`, `{"op":"copy","from":"/a","path":"/c"},{"op":"add","path":"/c/b","value":2}`, `{"a":{"b":1},"c":{"b":2}}`},
		{`{"a":1}`, `{"op":"copy","from":"/b","path":"/c"}`, ``},
		{`{"a":1}`, `{"op":"test","path":"/a","value":1.0}`, `{"a":1}`},
		{`{"a":{"x":1,"y":[null,true]}}`, `{"op":"test","path":"/a","value":{"y":[null,true],"x":1}}`, `{"a":{"x":1,"y":[null,true]}}`},
		{`{"a":1}`, `{"op":"test","path":"/a","value":"1"}`, ``},
		{`{"a":1}`, `{"op":"test","path":"/a","value":2}`, ``},
		{`{"a":null}`, `{"op":"test","path":"/a","value":null}`, `{"a":null}`},
		{`{"a/b":1,"m~n":2}`, `{"op":"remove","path":"/a~1b"},{"op":"remove","path":"/m~0n"}`, `{}`},
		{`{"~1":1}`, `{"op":"remove","path":"/~01"}`, `{}`},
		{`{"a":1}`, `{"op":"remove","path":"a"}`, ``},
		{`{"a":1}`, `{"op":"remove","path":"/~2"}`, ``},
		{`{"a":1}`, `{"op":"sweeten","path":"/a"}`, ``},
		{`{"a":1}`, `{"op":"remove"}`, ``},
		{`{ "n" : 1.50 , "a":[ 1 ] }`, `{"op":"add","path":"/b","value":1.0}`, `{"n":1.50,"a":[ 1 ],"b":1.0}`},
	} {
		got, err := applyPatch([]byte(c.doc), []byte("["+c.ops+"]"))
		if c.want == "" && err == nil || c.want != "" && (err != nil || string(got) != c.want) {
			t.Errorf("%s %s:\n got %s, %v\nwant %s", c.doc, c.ops, got, err, c.want)
		}
	}
	for _, patch := range []string{`{}`, `[`, `[1]`} {
		if _, err := applyPatch([]byte(`{}`), []byte(patch)); err == nil {
			t.Errorf("%s is taken for a patch", patch)
		}
	}
}

// A patch never makes malformed JSON, and never changes what it was given.
func FuzzApplyPatch(f *testing.F) {
	f.Add(`{"a":[1,{"b":"c"}]}`, `[{"op":"copy","from":"/a","path":"/d"},{"op":"move","from":"/a/1","path":"/d/-"}]`)
	f.Add(`{"a":{"b":1}}`, `[{"op":"add","path":"/a/c","value":{"x":[]}},{"op":"remove","path":"/a/b"}]`)
	f.Add(`[]`, `[{"op":"replace","path":"","value":{"\u0000":"\ud800"}},{"op":"test","path":"/a~0","value":1e9}]`)
	f.Fuzz(func(t *testing.T, doc, patch string) {
		before := strings.Clone(doc)
		bytes := []byte(doc)
		out, err := applyPatch(bytes, []byte(patch))
		if string(bytes) != before {
			t.Fatal("the original was changed")
		}
		if err == nil && !json.Valid(out) {
			t.Fatalf("malformed: %q", out)
		}
	})
}

// The parser accepts what encoding/json accepts, but for repeated members,
// deep nesting and bytes that are not UTF-8, and keeps the exact text.
func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e+3,"\u00e9\n",true,false,null]}`, ` [ ] `, `01`, `"\x"`, `{"a":1,}`, `[1 2]`, `-`, "\"\x01\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseJSON([]byte(s))
		if err == nil && !json.Valid([]byte(s)) {
			t.Fatalf("%q is taken for JSON", s)
		}
		if err != nil {
			excused := strings.Contains(err.Error(), "twice") || strings.Contains(err.Error(), "nested") || strings.Contains(err.Error(), "UTF-8")
			if json.Valid([]byte(s)) && !excused {
				t.Fatalf("%q is refused: %v", s, err)
			}
			return
		}
		if got := string(n.write(nil)); got != strings.Trim(s, " \t\r\n") {
			t.Fatalf("%q became %q", s, got)
		}
	})
}
