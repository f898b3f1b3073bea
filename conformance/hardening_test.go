package conformance_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance"
	"github.com/mandate-health/mandate/conformance/kit"
)

// crossSite are the posts that come from other sites by specification, and those of
// programs that no browser's cookie authenticates.
var crossSite = []string{
	"/authorize", "/end-session", "/register", "/udap/register", "/.well-known/mandate-key-pins/reports", "/signin/with/{provider}/logout", "/signin/with/{provider}/acs",
}

// languages are those in which pages are drawn, with how a browser asks for them.
var languages = []string{"en", "es", "ar"}

// AS-22, D9: every route's answers carry what browsers need to be strict, to a
// stranger, a patient and a member of staff, and each page in every language.
// CPA TR-38.
func TestEveryAnswerIsHardened(t *testing.T) {
	target := another(t, "hardening").open(t)
	visitors := map[string]*kit.Browser{"nobody": target.NewBrowser(target.Person("rosa"))}
	for _, name := range []string{"rosa", "hale"} {
		b := target.NewBrowser(target.Person(name))
		if _, err := b.SignIn(t.Context(), target.Config.Management); err != nil {
			t.Fatal(err)
		}
		visitors[name] = b
	}
	for _, r := range listRoutes(t) {
		if r.Auth == "dev" || r.Method != http.MethodGet && r.Method != http.MethodPost || r.Path == "/signout" || strings.HasPrefix(r.Path, "/dev/") {
			continue
		}
		for who, b := range visitors {
			t.Run(who+r.Method+r.Path, func(t *testing.T) {
				for _, language := range languages {
					res := ask(t, target, b, r, http.Header{"Accept": {"text/html,*/*"}, "Accept-Language": {language}})
					hardened(t, r, res)
					page := strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") && len(res.Body) > 0 && res.Status != http.StatusSeeOther
					if who == "nobody" && page && !strings.Contains(string(res.Body), `lang="`+language+`"`) {
						t.Errorf("%s is not in the language %q", res, language)
					}
					if !page {
						break
					}
				}
			})
		}
	}
}

func ask(t *testing.T, target *conformance.Target, b *kit.Browser, r routeLine, header http.Header) *kit.Response {
	t.Helper()
	path := variable.ReplaceAllString(r.Path, "some-id")
	if strings.HasPrefix(path, "/fhir/") {
		path = variable.ReplaceAllString(r.Path, "Patient/rosa")
	}
	req := kit.Request{Method: r.Method, URL: target.Issuer + path, Header: header}
	if r.Method == http.MethodPost {
		req.Form = url.Values{"answer": {"allow"}, "csrf": {"wrong"}}
	}
	res, err := b.Raw(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func hardened(t *testing.T, r routeLine, res *kit.Response) {
	t.Helper()
	h := res.Header
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if h.Get(name) != want {
			t.Errorf("%s: %s is %q", res, name, h.Get(name))
		}
	}
	policy := h.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("%s: Content-Security-Policy is %q", res, policy)
	}
	if r.Auth != "none" && !strings.Contains(h.Get("Cache-Control"), "no-store") {
		t.Errorf("%s: Cache-Control is %q", res, h.Get("Cache-Control"))
	}
	if strings.HasPrefix(h.Get("Content-Type"), "text/html") && res.Status != http.StatusSeeOther {
		if h.Get("Cross-Origin-Opener-Policy") != "same-origin" || h.Get("Permissions-Policy") == "" || !strings.Contains(h.Get("Cache-Control"), "no-store") {
			t.Errorf("%s: %v", res, h)
		}
		if found := inlineIn(string(res.Body)); found != "" {
			t.Errorf("%s holds %q", res, found)
		}
	}
	for _, c := range (&http.Response{Header: h}).Cookies() {
		if !c.HttpOnly || c.SameSite == http.SameSiteNoneMode || c.SameSite == 0 || c.Path != "/" || c.Domain != "" {
			t.Errorf("%s sets %s", res, c)
		}
	}
}

func inlineIn(body string) string {
	for _, script := range regexp.MustCompile(`(?is)<script\b[^>]*>`).FindAllString(body, -1) {
		if !strings.Contains(script, "src=") || !strings.Contains(script, "integrity=") {
			return script
		}
	}
	return regexp.MustCompile(`(?i)<style\b|<[a-z][^>]*\son[a-z]+\s*=|<[a-z][^>]*\sstyle\s*=|javascript:`).FindString(body)
}

// AS-22, SE-12: no form of another site does anything in the name of somebody who
// is signed in, and no form of our own without its token.
func TestNoFormWithoutItsToken(t *testing.T) {
	target := another(t, "forms").open(t)
	for _, name := range []string{"rosa", "hale"} {
		b := target.NewBrowser(target.Person(name))
		if _, err := b.SignIn(t.Context(), target.Config.Management); err != nil {
			t.Fatal(err)
		}
		for _, r := range listRoutes(t) {
			if r.Method != http.MethodPost || r.Auth == "dev" || r.Auth == "client" || r.Auth == "bearer" || slices.Contains(crossSite, r.Path) {
				continue
			}
			t.Run(name+r.Path, func(t *testing.T) {
				evil := http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}
				if res := ask(t, target, b, r, evil); res.Status != http.StatusForbidden {
					t.Errorf("from another site: %s", res)
				}
				own := http.Header{"Origin": {target.Issuer}, "Sec-Fetch-Site": {"same-origin"}}
				if res := ask(t, target, b, r, own); res.Status < 400 {
					t.Errorf("without its token: %s", res)
				}
			})
		}
	}
}
