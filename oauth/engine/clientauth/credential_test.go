package clientauth

import (
	"encoding/base64"
	"net/url"
	"slices"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
)

// SMART SYM-01, D11: both readings of a Basic credential, the specified one
// first.
func TestReadBasic(t *testing.T) {
	b := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for in, want := range map[string][]pair{
		b("id:secret"):                        {{"id", "secret"}},
		b("id:a:b"):                           {{"id", "a:b"}},
		b("a%3Ab:c%25d+e"):                    {{"a:b", "c%d e"}, {"a%3Ab", "c%25d+e"}},
		b("id:100%"):                          {{"id", "100%"}},
		b("id:"):                              {{"id", ""}},
		"basic " + b("id:x")[6:]:              {{"id", "x"}},
		"Basic  " + b("id:x")[6:]:             {{"id", "x"}},
		b(":secret"):                          nil,
		b("id"):                               nil,
		"Basic":                               nil,
		"Basic %%%":                           nil,
		"Bearer x":                            nil,
		"":                                    nil,
		b("id:" + string(make([]byte, 5000))): nil,
	} {
		got, err := readBasic(in)
		if !slices.Equal(got.pairs, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %v %v", in, got.pairs, err)
		}
	}
}

func FuzzReadBasic(f *testing.F) {
	f.Add("Basic aWQ6c2VjcmV0")
	f.Fuzz(func(t *testing.T, header string) {
		cred, err := readBasic(header)
		if err == nil && (len(cred.pairs) == 0 || len(cred.pairs) > 2 || cred.method != ClientSecretBasic) {
			t.Errorf("%q: %v", header, cred)
		}
	})
}

func TestNamed(t *testing.T) {
	for name, req := range map[string]Request{
		"form":  {Form: url.Values{"client_id": {"app"}}},
		"basic": {Authorization: []string{"Basic " + base64.StdEncoding.EncodeToString([]byte("app:x"))}},
	} {
		if got := Named(req); got != "app" {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, req := range []Request{
		{}, {Authorization: []string{"a", "b"}}, {Form: url.Values{"client_assertion": {"x"}}}, {Authorization: []string{"Bearer x"}},
	} {
		if got := Named(req); got != "" {
			t.Errorf("%v: %q", req, got)
		}
	}
}

// What is no text names no client: neither the store nor the audit log sees it,
// and the refusal is one of the client (RFC 6749 appendix A.1).
func TestCredentialsAreText(t *testing.T) {
	basic := func(raw string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(raw)) }
	for _, raw := range []string{"a\x00b:x", "a:x\x00", "a\xff:x", "a\r\nb:x", "a\u0085b:x"} {
		req := Request{Authorization: []string{basic(raw)}}
		if _, err := read(req); !errs.Is(err, errs.InvalidClient) || Named(req) != "" {
			t.Errorf("%q: %v, names %q", raw, err, Named(req))
		}
	}
	// An escape that would make such a text is read as it stands only.
	cred, err := read(Request{Authorization: []string{basic("a%00b:x")}})
	if err != nil || len(cred.pairs) != 1 || cred.pairs[0].id != "a%00b" {
		t.Errorf("%+v %v", cred, err)
	}
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES384","kid":"a"}`))
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"a\u0000","sub":"a\u0000"}`))
	if got := Named(Request{Form: url.Values{"client_assertion": {header + "." + claims + ".AAAA"}}}); got != "" {
		t.Errorf("an assertion names %q", got)
	}
}
