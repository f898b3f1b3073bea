package strictjson_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/strictjson"
)

// code gives that of an error, "" for none.
func code(err error) string {
	if err == nil {
		return ""
	}
	return errs.As(err).Code
}

// Bad input of issue 4's catalogue: what two readers read differently, what is
// deep, and what is no JSON.
func TestCheck(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":[`, n/2) + strings.Repeat(`]}`, n/2) }
	for text, want := range map[string]string{
		`{}`: "", `[]`: "", `null`: "", `1e999`: "", ` {"a":{"a":1},"b":[{"a":1},{"a":1}]} `: "", `{"":1}`: "",
		`{"a":1,"a":1}`: "json-duplicate-key", `{"a":1,"A":1}`: "json-duplicate-key", `{"a":1,"\u0061":1}`: "json-duplicate-key",
		`{"a":{"b":1,"b":2}}`: "json-duplicate-key", `[[{"b":1,"c":2,"b":3}]]`: "json-duplicate-key",
		`{"ſcope":1,"scope":1}`: "json-duplicate-key", "{\"\u212aey\":1,\"key\":1}": "json-duplicate-key",
		deep(strictjson.MaxDepth): "", deep(strictjson.MaxDepth + 2): "json-depth", strings.Repeat("[", 100000): "json-depth",
		``: "json-malformed", `{`: "json-malformed", `{"a"}`: "json-malformed", `{"a":1}]`: "json-malformed", `{"a":1}{"a":1}`: "json-malformed",
		`{"a":1,}`: "json-malformed", `{1:1}`: "json-malformed", "{\"a\":\"\xff\"}": "json-malformed", `[1}`: "json-malformed", `{"a":1`: "json-malformed",
	} {
		if got := code(strictjson.Check([]byte(text))); got != want {
			t.Errorf("%.40q: %q, not %q", text, got, want)
		}
	}
}

// What is read is what was checked.
func TestRead(t *testing.T) {
	for text, want := range map[string]string{
		`{"scope":"a"}`: "", `{"scope":"a","SCOPE":"b"}`: "json-duplicate-key", `{"other":1}`: "json-malformed", `{"scope":1}`: "json-malformed", `{"scope":"a"} 1`: "json-malformed",
	} {
		var into struct {
			Scope string `json:"scope"`
		}
		if got := code(strictjson.Read([]byte(text), &into)); got != want || want == "" && into.Scope != "a" {
			t.Errorf("%s: %q %q", text, got, into.Scope)
		}
	}
}

// Nothing makes it panic, and what it lets pass is JSON.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{`{"a":1,"A":2}`, `[[[`, `{"a":{"b":[1,2,"x"]}}`, `"\ud800"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if strictjson.Check(text) == nil && !json.Valid(text) {
			t.Errorf("%q is taken", text)
		}
	})
}
