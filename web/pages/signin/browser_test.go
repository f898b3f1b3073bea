package signin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/signin"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

var noon = clock.Fixed(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))

type account struct {
	person identity.Person
	amr    []string
}

// accounts stands in for identity.Service: everybody's password is "right",
// everybody's code 123456, and its secrets are numbered.
type accounts struct {
	live     map[string]account
	given    int
	calls    int
	meta     identity.Meta
	language string
}

func (a *accounts) secret(n int) string {
	return strings.Repeat("s", 41) + fmt.Sprintf("%dA", n)
}

func (a *accounts) begin(p identity.Person, amr []string) identity.SignInResult {
	a.given++
	a.live[a.secret(a.given)] = account{p, amr}
	return identity.SignInResult{Secret: a.secret(a.given), Person: p, NeedsSecondFactor: amr == nil,
		Session: identity.Session{PersonID: p.ID, AMR: amr, Language: p.Language}}
}

func (a *accounts) SignIn(_ context.Context, _, name, pw string, m identity.Meta) (identity.SignInResult, error) {
	a.calls++
	a.meta = m
	switch {
	case name == "busy":
		return identity.SignInResult{}, errs.Wrap(&identity.Throttled{After: 15 * time.Minute}, errs.RateLimited, "too-many-tries", "wait")
	case name == "down":
		return identity.SignInResult{}, errs.New(errs.Unavailable, "store-down", "down")
	case pw != "right" || name == "nobody":
		return identity.SignInResult{}, errs.New(errs.Unauthenticated, "sign-in-failed", "no")
	case name == "rosa":
		return a.begin(identity.Person{ID: "p-rosa", Name: "Rosa Alvarez", Role: identity.RolePatient, Language: "es"}, []string{"pwd"}), nil
	case name == "osei":
		return a.begin(identity.Person{ID: "p-osei", Name: "Dr Osei", Role: identity.RoleClinician}, nil), nil
	}
	return a.begin(identity.Person{ID: "p-elena", Name: "Elena Alvarez", Role: identity.RoleProxy}, nil), nil
}

func (a *accounts) SecondFactor(_ context.Context, _, secret, code string, _ identity.Meta) (identity.SignInResult, error) {
	a.calls++
	acc, ok := a.live[secret]
	switch {
	case !ok:
		return identity.SignInResult{}, errs.New(errs.Unauthenticated, "session-ended", "none")
	case code == "404404":
		return identity.SignInResult{}, errs.New(errs.Unauthenticated, "second-factor-missing", "none")
	case code == "429429":
		return identity.SignInResult{}, errs.Wrap(&identity.Throttled{After: time.Minute}, errs.RateLimited, "too-many-tries", "wait")
	case code != "123456":
		return identity.SignInResult{}, errs.New(errs.Unauthenticated, "code-refused", "no")
	}
	delete(a.live, secret)
	return a.begin(acc.person, []string{"pwd", "otp"}), nil
}

func (a *accounts) find(secret string, half bool) (identity.Session, identity.Person, error) {
	acc, ok := a.live[secret]
	if !ok || (acc.amr == nil) != half {
		return identity.Session{}, identity.Person{}, errs.New(errs.Unauthenticated, "session-ended", "none")
	}
	return identity.Session{PersonID: acc.person.ID, AMR: acc.amr, IdleEnds: noon.Now().Add(time.Hour)}, acc.person, nil
}

func (a *accounts) Session(_ context.Context, _, secret string, _ identity.Meta) (identity.Session, identity.Person, error) {
	return a.find(secret, false)
}

func (a *accounts) Glimpse(_ context.Context, _, secret string, _ identity.Meta) (identity.Session, identity.Person, error) {
	return a.find(secret, false)
}

func (a *accounts) Pending(_ context.Context, _, secret string) (identity.Session, identity.Person, error) {
	return a.find(secret, true)
}

func (a *accounts) SignOut(_ context.Context, _, secret string, _ identity.Meta) error {
	a.calls++
	delete(a.live, secret)
	return nil
}

func (a *accounts) SetLanguage(_ context.Context, _, _, language string) error {
	a.calls++
	a.language = language
	return nil
}

// browser walks the pages; it keeps cookies, sees view models instead of HTML
// and follows no redirect by itself.
type browser struct {
	t       *testing.T
	base    string
	client  *http.Client
	house   *accounts
	routes  []route.Route
	page    pages.Page
	token   string
	refused string
}

func (b *browser) Lang(r *http.Request) string {
	if c, err := r.Cookie(pages.LangCookie); err == nil {
		return c.Value
	}
	return "en"
}

func (b *browser) Render(w http.ResponseWriter, _ *http.Request, status int, p pages.Page) {
	b.page, b.token = p, p.Head().CSRF
	w.WriteHeader(status)
}

func (b *browser) refuse(w http.ResponseWriter, _ *http.Request, err error) {
	b.refused = errs.As(err).Code
	status := map[errs.Kind]int{errs.Unauthenticated: 401, errs.Forbidden: 403, errs.Unavailable: 503, errs.Invalid: 400}[errs.KindOf(err)]
	w.WriteHeader(status)
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	b := &browser{t: t, house: &accounts{live: map[string]account{}}}
	m, err := session.New(session.Deps{
		PublicURL: "http://localhost:8080", Sessions: b.house, Hasher: ids.Hasher{Key: []byte("k")}, Refuse: b.refuse,
	})
	if err != nil {
		t.Fatal(err)
	}
	h := signin.New(signin.Deps{
		Accounts: b.house, Sessions: m, Pages: b, Refuse: b.refuse,
		Waiting: func(r *http.Request, flow string) (pages.Waiting, bool) {
			return pages.Waiting{AppName: "Heart Diary", Next: "/authorize/flow-1", Cancel: "/authorize/flow-1/cancel", AppRedirect: "https://app.example/cb"},
				flow == "flow-1" && session.FlowSecret(r) != ""
		},
		StaffTasks: func(identity.Person) []pages.StaffTask {
			return []pages.StaffTask{{Key: "staff.task.queue", URL: "/queue"}}
		},
	})
	mux := http.NewServeMux()
	b.routes = h.Routes()
	for _, r := range b.routes {
		mux.Handle(r.Method+" "+r.Path, r.Handler)
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b.base = srv.URL
	b.client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return b
}

func (b *browser) cookiesOf(name, value string) {
	u, _ := url.Parse(b.base)
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

func (b *browser) get(path string) *http.Response {
	b.t.Helper()
	resp, err := b.client.Get(b.base + path)
	if err != nil {
		b.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp
}

// post sends a form with the token of the last page.
func (b *browser) post(path string, pairs ...string) *http.Response {
	b.t.Helper()
	form := url.Values{pages.FieldCSRF: {b.token}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.send(path, "", form)
}

func (b *browser) send(path, origin string, form url.Values) *http.Response {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodPost, b.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if origin != "" {
		req.Header.Set("Origin", origin)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp
}

// wantRedirect wants the 303 that AZ-19 asks for after a form.
func (b *browser) wantRedirect(resp *http.Response, to string) {
	b.t.Helper()
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != to {
		b.t.Errorf("got %d to %q, want 303 to %q", resp.StatusCode, resp.Header.Get("Location"), to)
	}
}

func open[P pages.Page](b *browser, path string) P {
	b.t.Helper()
	b.page = nil
	if resp := b.get(path); resp.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: %d", path, resp.StatusCode)
	}
	return shown[P](b)
}

func shown[P pages.Page](b *browser) P {
	b.t.Helper()
	p, ok := b.page.(P)
	if !ok {
		b.t.Fatalf("another page is shown: %T", b.page)
	}
	return p
}

func cookie(resp *http.Response, name string) *http.Cookie {
	for _, c := range resp.Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}
