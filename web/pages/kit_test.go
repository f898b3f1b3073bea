package pages

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/words"
)

func newKit(t *testing.T) *Kit {
	t.Helper()
	w, err := words.New()
	if err != nil {
		t.Fatal(err)
	}
	k, err := New(Deps{Words: w, Log: slog.New(slog.DiscardHandler), HelpPhone: "+1 555 0100"})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func render(k *Kit, target string, p Page, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	k.Render(w, r, http.StatusOK, p)
	return w
}

// SMART AZ-19: log-in and consent pages refuse framing and inline code.
func TestEveryPageLeavesWithTheSecurityHeaders(t *testing.T) {
	h := render(newKit(t), "/signin", SignIn{}).Header()
	want := map[string]string{
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "no-referrer",
		"X-Content-Type-Options":       "nosniff",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store",
		"Content-Type":                 "text/html; charset=utf-8",
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; " +
			"form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
	}
	for name, value := range want {
		if got := h.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	if h.Get("Permissions-Policy") == "" {
		t.Error("no Permissions-Policy")
	}
}

func TestTheAppsOriginMayTakeTheFormsRedirect(t *testing.T) {
	for uri, want := range map[string]string{
		"https://app.example/cb?x=1":         "https://app.example",
		"http://localhost:8082/callback":     "http://localhost:8082",
		"http://127.0.0.1:5000/":             "http://127.0.0.1:5000",
		"http://[::1]:5000/":                 "http:",
		"com.example.app:/cb":                "com.example.app:",
		"/own/path":                          "",
		"":                                   "",
		"javascript:alert(1)":                "",
		"data:text/html,x":                   "",
		"https://u:p@app.example/":           "",
		"https://app.example;script-src */":  "",
		"https://app.example, x/":            "",
		"https://app.example 'unsafe-eval'/": "",
	} {
		if got := FormTarget(uri); got != want {
			t.Errorf("FormTarget(%q) = %q, want %q", uri, got, want)
		}
	}
	w := render(newKit(t), "/consent", Consent{Frame: Frame{AppRedirect: "https://app.example/cb"}})
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https://app.example;") {
		t.Error(csp)
	}
}

func FuzzFormTargetNeverLeavesItsDirective(f *testing.F) {
	f.Add("https://app.example/cb")
	f.Add("x;y:z")
	f.Fuzz(func(t *testing.T, uri string) {
		if got := FormTarget(uri); strings.ContainsAny(got, "; ,'\"*\t\r\n") {
			t.Errorf("%q gives %q", uri, got)
		}
	})
}

func TestTheLanguageIsChosenByLinkThenCookieThenBrowser(t *testing.T) {
	k := newKit(t)
	browser := func(r *http.Request) { r.Header.Set("Accept-Language", "es-MX,es;q=0.9,en;q=0.5") }
	cookie := func(r *http.Request) { r.AddCookie(&http.Cookie{Name: LangCookie, Value: "en"}) }
	for name, c := range map[string]struct {
		w    *httptest.ResponseRecorder
		want string
	}{
		"nothing":         {render(k, "/x", SignIn{}), "en"},
		"browser":         {render(k, "/x", SignIn{}, browser), "es"},
		"cookie":          {render(k, "/x", SignIn{}, browser, cookie), "en"},
		"link":            {render(k, "/x?lang=es", SignIn{}, cookie), "es"},
		"unknown link":    {render(k, "/x?lang=xx", SignIn{}, cookie), "en"},
		"the page's own":  {render(k, "/x?lang=en", SignIn{Frame: Frame{Lang: "es"}}), "es"},
		"a broken cookie": {render(k, "/x", SignIn{}, func(r *http.Request) { r.Header.Set("Cookie", LangCookie+"=<b>") }), "en"},
	} {
		if !strings.Contains(c.w.Body.String(), `<html lang="`+c.want+`" dir="ltr">`) {
			t.Errorf("%s: not in %s", name, c.want)
		}
	}
	w := render(k, "/flow/1?step=2&lang=es", SignIn{})
	if got := w.Header().Get("Set-Cookie"); !strings.HasPrefix(got, LangCookie+"=es;") || !strings.Contains(got, "HttpOnly") {
		t.Errorf("cookie %q", got)
	}
	if !strings.Contains(w.Body.String(), `href="/flow/1?lang=en&amp;step=2"`) {
		t.Error("the link to the other language loses the address")
	}
}

func TestAnAddressNeverBecomesALinkToAnotherHost(t *testing.T) {
	w := render(newKit(t), "http://x//evil.example/a", SignIn{})
	if strings.Contains(w.Body.String(), `href="//evil`) {
		t.Error("link to another host")
	}
}

func TestWhatPeopleTypeIsEscaped(t *testing.T) {
	const bad = `"><script>alert(1)</script>`
	k := newKit(t)
	for _, p := range []Page{
		SignIn{Username: bad, AppName: bad, Next: bad},
		PickPatient{Search: true, Query: bad, Choices: []PatientChoice{{Value: bad, Name: bad}}},
		Consent{App: AppInfo{Name: bad, Maker: bad, PrivacyURL: "javascript:alert(1)"}, Kinds: []ConsentKind{{Field: "k", Required: true, Reason: bad}}},
		Done{ReturnURL: "javascript:alert(1)"},
		ErrorPage{Cause: bad, Kind: bad, AppName: bad},
	} {
		body := render(k, "/x?q=%22%3E%3Cscript%3Ealert(1)", p).Body.String()
		if strings.Contains(body, "<script>") || strings.Contains(body, "javascript:") {
			t.Errorf("%s repeats code", p.Template())
		}
	}
}

// unknownPage is a page without a template.
type unknownPage struct{ Frame }

func (unknownPage) Template() string { return "no-such" }

func TestABrokenPageGivesPlainWordsAndNothingHalfWritten(t *testing.T) {
	w := render(newKit(t), "/x", unknownPage{})
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "<") {
		t.Errorf("%d %q", w.Code, w.Body.String())
	}
	if !strings.Contains(w.Body.String(), "+1 555 0100") {
		t.Error("no help telephone")
	}
}

func TestAssetsAreServedForEverUnderTheirHash(t *testing.T) {
	k := newKit(t)
	body := render(k, "/x", SignIn{Passkey: Passkey{Options: "{}"}}).Body.String()
	for _, a := range append(append([]asset(nil), k.assets.styles...), k.assets.scripts...) {
		if !strings.Contains(strings.ReplaceAll(body, "&#43;", "+"), a.Path+`" integrity="`+a.Integrity+`"`) {
			t.Errorf("%s is not linked with its integrity", a.Path)
		}
		w := httptest.NewRecorder()
		k.Assets().ServeHTTP(w, httptest.NewRequest(http.MethodGet, a.Path, nil))
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %s", a.Path, w.Code, w.Header().Get("Cache-Control"))
		}
	}
	if strings.Contains(render(k, "/x", SignIn{}).Body.String(), passkeyScript) {
		t.Error("a page that asks for no passkey has the script")
	}
	for target, want := range map[string]int{"/assets/": 404, "/assets/app.css": 404, "/assets/../kit.go": 404} {
		w := httptest.NewRecorder()
		k.Assets().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://x"+target, nil))
		if w.Code != want {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
	w := httptest.NewRecorder()
	k.Assets().ServeHTTP(w, httptest.NewRequest(http.MethodPost, k.assets.styles[0].Path, nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestASentenceNamesKindsOnceAndCountsTheRest(t *testing.T) {
	var kinds []KindRef
	for _, typ := range []string{"Basic", "Patient", "Condition", "Linkage", "MedicationRequest", "MedicationRequest", "AllergyIntolerance",
		"Observation", "Immunization", "Procedure", "Encounter", "Goal"} {
		kinds = append(kinds, KindRef{Type: typ})
	}
	entry := AppEntry{App: AppInfo{Name: "Heart Diary"}, Kinds: kinds, URL: "/apps/1", EndURL: "/apps/1/end"}
	list := render(newKit(t), "/apps", ConnectedApps{Self: true, Apps: []AppEntry{entry}}).Body.String()
	if !strings.Contains(list, "Name, address and birth date, conditions, medicines,") || !strings.Contains(list, " and 2 more kinds") {
		t.Error(list)
	}
	one := render(newKit(t), "/apps/1", ConnectedApp{Self: true, Entry: entry}).Body.String()
	if strings.Count(one, "<li>Other health data</li>") != 1 || strings.Count(one, "<li>Medicines</li>") != 1 ||
		strings.Index(one, "<li>Goals of care</li>") > strings.Index(one, "<li>Other health data</li>") {
		t.Error(one)
	}
}
