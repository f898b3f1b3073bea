package jcs_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mandate-health/mandate/internal/jcs"
)

// RFC 8785 §3.2: order, numbers, strings.
func TestCanonicalForm(t *testing.T) {
	for in, want := range map[string]string{
		` { "b" : [ 1 , true , null ] , "a" : { } } `:                                   `{"a":{},"b":[1,true,null]}`,
		`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001]}`: `{"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27]}`,
		`[0,-0,-0.0,1e21,123456789012345680000,1.0]`:                                    `[0,0,0,1e+21,123456789012345680000,1]`,
		`"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/<>&\u2028"`:                      "\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/<>&\u2028\"",
		`{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}`:   "{\"\\r\":2,\"1\":4,\"\u0080\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\ufb33\":3}",
	} {
		got, err := jcs.Canonical([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("%s:\ngot  %s %v\nwant %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "{", `{"a":1,"a":2}`, "1 2", `[1e999]`, "\"\xff\"", `{"a":1}}`, strings.Repeat("[", 300) + strings.Repeat("]", 300)} {
		if got, err := jcs.Canonical([]byte(in)); err == nil {
			t.Errorf("%.20q: %s", in, got)
		}
	}
}

// The form of a form is itself, and means the same.
func TestCanonicalIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.MapOf(rapid.String(), rapid.OneOf(
			rapid.Map(rapid.Float64(), func(f float64) any { return f }),
			rapid.Map(rapid.String(), func(s string) any { return s }),
			rapid.Map(rapid.SliceOf(rapid.Int32()), func(l []int32) any { return l }),
		)).Draw(t, "object")
		raw, err := json.MarshalIndent(m, " ", "  ")
		if err != nil {
			t.Fatal(err)
		}
		once, err := jcs.Canonical(raw)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := jcs.Canonical(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s, then %s %v", once, twice, err)
		}
		var a, b any
		if json.Unmarshal(raw, &a) != nil || json.Unmarshal(once, &b) != nil {
			t.Fatal("unreadable")
		}
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		if !bytes.Equal(x, y) && !strings.Contains(string(raw), "-0") {
			t.Fatalf("%s is not %s", x, y)
		}
	})
}
