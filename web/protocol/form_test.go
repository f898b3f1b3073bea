package protocol

import (
	"net/url"
	"strings"
	"testing"
)

// SMART TOK-01, AZ-14: what the parser lets through has each parameter once,
// with a value, without control characters.
func FuzzParseForm(f *testing.F) {
	for _, seed := range []string{
		"grant_type=authorization_code&code=x", "a=1&a=2", "a=&b", "%zz=1", "a=%00", "a;b=1", "=x", "a=%ff", strings.Repeat("a=1&", 50),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		values, err := parseForm(body)
		if err != nil {
			return
		}
		for name, all := range values {
			if len(all) != 1 || all[0] == "" || !plain(name) || !plain(all[0]) {
				t.Errorf("%q: %q=%q", body, name, all)
			}
		}
		again, err := parseForm(values.Encode())
		if err != nil || again.Encode() != values.Encode() {
			t.Errorf("%q is read in two ways", body)
		}
	})
}

func TestParseFormLimits(t *testing.T) {
	many := url.Values{}
	for i := range maxParameters + 1 {
		many.Set(strings.Repeat("p", i+1), "1")
	}
	for name, body := range map[string]string{
		"many": many.Encode(), "long": "a=" + strings.Repeat("x", maxValue+1), "semicolon": "a=1;b=2", "repeated and empty": "a=&a=1",
	} {
		if _, err := parseForm(body); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
