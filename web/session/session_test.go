package session_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/web/session"
)

// directory knows sessions by their secret; "down" makes it fail.
type directory struct {
	known map[string]identity.Session
	down  bool
	// glimpses counts who was told from memory.
	glimpses int
}

func (d *directory) Session(_ context.Context, tenant, secret string, _ identity.Meta) (identity.Session, identity.Person, error) {
	if d.down {
		return identity.Session{}, identity.Person{}, errs.New(errs.Unavailable, "store-down", "down")
	}
	s, ok := d.known[tenant+secret]
	if !ok {
		return identity.Session{}, identity.Person{}, errs.New(errs.Unauthenticated, "session-ended", "none")
	}
	return s, identity.Person{ID: s.PersonID}, nil
}

// Glimpse knows nobody of whom the store is not asked.
func (d *directory) Glimpse(ctx context.Context, tenant, secret string, m identity.Meta) (identity.Session, identity.Person, error) {
	d.glimpses++
	return d.Session(ctx, tenant, secret, m)
}

func refuse(w http.ResponseWriter, _ *http.Request, err error) {
	status := map[errs.Kind]int{errs.Unauthenticated: 401, errs.Forbidden: 403, errs.Unavailable: 503}[errs.KindOf(err)]
	http.Error(w, errs.As(err).Code, status)
}

func manager(t *testing.T, publicURL string, dir *directory) *session.Manager {
	t.Helper()
	m, err := session.New(session.Deps{
		PublicURL: publicURL, Sessions: dir, Hasher: ids.Hasher{Key: []byte("key")}, Refuse: refuse,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func secretLike(c string) string { return strings.Repeat(c, 42) + "A" }

func serve(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// SE-12: over https cookies are bound to the host and never readable.
func TestCookieAttributes(t *testing.T) {
	for base, want := range map[string]string{
		"https://id.example.org": "__Host-mandate_session=" + secretLike("s") + "; Path=/; HttpOnly; Secure; SameSite=Lax",
		"http://localhost:8080":  "mandate_session=" + secretLike("s") + "; Path=/; HttpOnly; SameSite=Lax",
	} {
		m, w := manager(t, base, &directory{}), httptest.NewRecorder()
		m.Start(w, secretLike("s"))
		m.End(w)
		m.SetLanguage(w, "es")
		got := w.Result().Header.Values("Set-Cookie")
		if got[0] != want {
			t.Errorf("%s: %s", base, got[0])
		}
		if !strings.Contains(got[1], m.CookieName()+"=; Path=/; Max-Age=0") {
			t.Errorf("%s: %s", base, got[1])
		}
		if !strings.Contains(got[2], "mandate_draft=; Path=/; Max-Age=0") {
			t.Errorf("%s: a draft outlives the sign-out: %s", base, got[2])
		}
		if !strings.HasPrefix(got[3], "mandate_lang=es; Path=/; Max-Age=31536000; HttpOnly") {
			t.Errorf("%s: %s", base, got[3])
		}
		for _, c := range got {
			if strings.Contains(c, "Domain") || strings.Contains(c, "Secure") != strings.HasPrefix(base, "https") {
				t.Errorf("%s: %s", base, c)
			}
		}
	}
	for _, bad := range []string{"", "id.example.org", "ftp://x", "http://"} {
		if _, err := session.New(session.Deps{PublicURL: bad}); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q is taken for a public URL: %v", bad, err)
		}
	}
}

func TestWhoARequestComesFrom(t *testing.T) {
	dir := &directory{known: map[string]identity.Session{"default" + secretLike("r"): {PersonID: "rosa", AMR: []string{"pwd"}}}}
	m := manager(t, "http://localhost", dir)
	who := m.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := session.From(r)
		if !ok {
			id.Person.ID = "nobody"
		}
		_, _ = io.WriteString(w, id.Person.ID)
	}))
	for _, c := range []struct {
		name, cookie, want string
		down               bool
	}{
		{"her cookie", secretLike("r"), "rosa", false},
		{"no cookie", "", "nobody", false},
		{"an ended session", secretLike("x"), "nobody", false},
		{"no secret of ours", "rosa", "nobody", false},
		{"too long", secretLike("r") + "A", "nobody", false},
		{"the store is down", secretLike("r"), "nobody", true},
	} {
		dir.down = c.down
		r := httptest.NewRequest("GET", "/", nil)
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: "mandate_session", Value: c.cookie})
		}
		resp := serve(who, r)
		if body, _ := io.ReadAll(resp.Body); string(body) != c.want {
			t.Errorf("%s: %s, want %s", c.name, body, c.want)
		}
	}
	if _, ok := session.From(httptest.NewRequest("GET", "/", nil)); ok {
		t.Error("somebody without Load")
	}
}

func TestTheFlowCookieIsGivenOnce(t *testing.T) {
	m := manager(t, "http://localhost", &directory{})
	h := m.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, session.FlowSecret(r)) }))
	first := serve(h, httptest.NewRequest("GET", "/", nil))
	secret, _ := io.ReadAll(first.Body)
	if cs := first.Cookies(); len(cs) != 1 || cs[0].Name != "mandate_flow" || cs[0].Value != string(secret) || len(secret) != 43 {
		t.Fatalf("%v, %q", cs, secret)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(first.Cookies()[0])
	again := serve(h, r)
	if body, _ := io.ReadAll(again.Body); string(body) != string(secret) || len(again.Cookies()) != 0 {
		t.Error("the browser is given another secret")
	}
	post := serve(h, httptest.NewRequest("POST", "/authorize", nil))
	if body, _ := io.ReadAll(post.Body); string(body) != "" || len(post.Cookies()) != 0 {
		t.Error("a post from another site replaces the browser's cookie")
	}
}

func TestWhoMayPass(t *testing.T) {
	dir := &directory{known: map[string]identity.Session{
		"default" + secretLike("1"): {AMR: []string{"pwd"}},
		"default" + secretLike("2"): {AMR: []string{"pwd", "otp"}},
	}}
	m := manager(t, "http://localhost", dir)
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for _, c := range []struct {
		name, method, accept, cookie string
		level                        identity.Level
		down                         bool
		status                       int
		location                     string
	}{
		{"signed in", "GET", "text/html", secretLike("1"), identity.AAL1, false, 204, ""},
		{"strongly signed in", "POST", "text/html", secretLike("2"), identity.AAL2, false, 204, ""},
		{"nobody opens a page", "GET", "text/html,*/*", "", identity.AAL1, false, 303, "/signin?next=%2Fapps%3Fa%3Db%2526c"},
		{"nobody calls", "GET", "application/json", "", identity.AAL1, false, 401, ""},
		{"nobody posts", "POST", "text/html", "", identity.AAL1, false, 401, ""},
		{"a second factor is due", "GET", "text/html", secretLike("1"), identity.AAL2, false, 303, "/signin/code?next=%2Fapps%3Fa%3Db%2526c"},
		{"a second factor is due for a post", "POST", "text/html", secretLike("1"), identity.AAL2, false, 401, ""},
		{"the store is down", "GET", "text/html", secretLike("2"), identity.AAL1, true, 503, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir.down = c.down
			r := httptest.NewRequest(c.method, "/apps?a=b%26c", nil)
			r.Header.Set("Accept", c.accept)
			if c.cookie != "" {
				r.AddCookie(&http.Cookie{Name: "mandate_session", Value: c.cookie})
			}
			resp := serve(m.Load(m.Require(c.level)(ok)), r)
			if resp.StatusCode != c.status || resp.Header.Get("Location") != c.location {
				t.Errorf("got %d %q", resp.StatusCode, resp.Header.Get("Location"))
			}
		})
	}
}

// SMART AZ-19: a form counts only for the browser, session and purpose it was
// made for.
func TestFormTokens(t *testing.T) {
	m := manager(t, "http://localhost", &directory{})
	token := func(flow, sess, purpose string) string {
		var out string
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: "mandate_flow", Value: flow})
		if sess != "" {
			r.AddCookie(&http.Cookie{Name: "mandate_session", Value: sess})
		}
		serve(m.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { out = m.Token(r, purpose) })), r)
		return out
	}
	good := token(secretLike("f"), secretLike("s"), "page")
	for _, c := range []struct {
		name, token, flow, sess string
		ok                      bool
	}{
		{"the right one", good, secretLike("f"), secretLike("s"), true},
		{"none", "", secretLike("f"), secretLike("s"), false},
		{"another purpose", token(secretLike("f"), secretLike("s"), "consent"), secretLike("f"), secretLike("s"), false},
		{"another browser", good, secretLike("g"), secretLike("s"), false},
		{"another session", good, secretLike("f"), secretLike("t"), false},
		{"before the sign-in", token(secretLike("f"), "", "page"), secretLike("f"), secretLike("s"), false},
		{"no cookies at all", good, "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", strings.NewReader(url.Values{session.FormField: {c.token}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if c.flow != "" {
				r.AddCookie(&http.Cookie{Name: "mandate_flow", Value: c.flow})
				r.AddCookie(&http.Cookie{Name: "mandate_session", Value: c.sess})
			}
			serve(m.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if err := m.Check(r, "page"); (err == nil) != c.ok {
					t.Errorf("got %v", err)
				}
			})), r)
		})
	}
	r := httptest.NewRequest("POST", "/?"+session.FormField+"="+good, nil)
	r.AddCookie(&http.Cookie{Name: "mandate_flow", Value: secretLike("f")})
	r.AddCookie(&http.Cookie{Name: "mandate_session", Value: secretLike("s")})
	serve(m.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if m.Check(r, "page") == nil {
			t.Error("a token in the address counts")
		}
	})), r)
}

func TestPostsFromOtherSites(t *testing.T) {
	h := manager(t, "https://id.example.org", &directory{}).Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }))
	for _, c := range []struct {
		method, site, origin string
		status               int
	}{
		{"POST", "same-origin", "https://id.example.org", 204},
		{"POST", "cross-site", "https://evil.example", 403},
		{"POST", "same-site", "https://app.example.org", 403},
		{"POST", "", "https://evil.example", 403},
		{"POST", "", "https://id.example.org", 204},
		{"GET", "cross-site", "", 204},
	} {
		r := httptest.NewRequest(c.method, "http://backend.internal/signout", nil)
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if got := serve(h, r).StatusCode; got != c.status {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// A form is read up to a bound, whatever its encoding, so that nobody fills
// memory or disk in front of the form token.
func TestLongForms(t *testing.T) {
	for media, frame := range map[string][2]string{
		"application/x-www-form-urlencoded": {"csrf=", ""},
		"multipart/form-data; boundary=x":   {"--x\r\nContent-Disposition: form-data; name=\"csrf\"; filename=\"f\"\r\n\r\n", "\r\n--x--\r\n"},
	} {
		body := strings.NewReader(frame[0] + strings.Repeat("a", 1<<20) + frame[1])
		h := manager(t, "https://id.example.org", &directory{}).Protect(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.PostFormValue(session.FormField) != "" || r.MultipartForm != nil {
				t.Errorf("%s: a form of a megabyte is taken", media)
			}
		}))
		r := httptest.NewRequest("POST", "https://id.example.org/", body)
		r.Header.Set("Content-Type", media)
		serve(h, r)
		if left := body.Len(); left < 1<<19 {
			t.Errorf("%s: only %d bytes were left unread", media, left)
		}
	}
}

// Nobody but a configured proxy chooses the address that is seen.
func TestAddresses(t *testing.T) {
	m := manager(t, "http://localhost", &directory{})
	for _, c := range []struct {
		peer, want string
		forwarded  []string
	}{
		{"203.0.113.9:443", "203.0.113.9", nil},
		{"203.0.113.9:443", "203.0.113.9", []string{"198.51.100.1"}},
		{"10.0.0.1:443", "198.51.100.1", []string{"198.51.100.1"}},
		{"10.0.0.1:443", "198.51.100.1", []string{"1.2.3.4, 198.51.100.1"}},
		{"10.0.0.1:443", "198.51.100.1", []string{"1.2.3.4, 198.51.100.1", "10.0.0.2"}},
		{"10.0.0.1:443", "10.0.0.1", []string{"198.51.100.1, not an address"}},
		{"10.0.0.1:443", "10.0.0.3", []string{"10.0.0.3"}},
		{"10.0.0.1:443", "10.0.0.1", nil},
		{"[::ffff:10.0.0.1]:443", "2001:db8::1", []string{"2001:db8::1"}},
		{"[2001:db8::5]:443", "2001:db8::5", nil},
		{"@", "", []string{"198.51.100.1"}},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		for _, f := range c.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		if got := m.Address(r); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

func TestMeta(t *testing.T) {
	m := manager(t, "http://localhost", &directory{})
	r := httptest.NewRequest("POST", "/", nil)
	r.AddCookie(&http.Cookie{Name: "mandate_session", Value: secretLike("s")})
	r.RemoteAddr = "203.0.113.9:1"
	serve(m.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		want := identity.Meta{Address: "203.0.113.9", Language: "es", Previous: secretLike("s")}
		if got := m.Meta(r, "es"); got != want {
			t.Errorf("%+v", got)
		}
	})), r)
}

func TestLocalPaths(t *testing.T) {
	for next, want := range map[string]string{
		"/apps?x=1#y": "/apps?x=1#y", "/": "/", "": "/home", "apps": "/home", "//evil.example": "/home",
		"/\\evil.example": "/home", "https://evil.example": "/home", "/\t/evil.example": "/home", " /apps": "/home",
		"/a b": "/home", "/" + strings.Repeat("x", 5000): "/home", "javascript:alert(1)": "/home",
	} {
		if got := session.LocalPath(next, "/home"); got != want {
			t.Errorf("%q: %q", next, got)
		}
	}
}

func FuzzLocalPath(f *testing.F) {
	for _, s := range []string{"/a", "//b", "/\\c", "/..//d", "/%09/e"} {
		f.Add(s)
	}
	base, err := url.Parse("https://id.example.org/signin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		u, err := base.Parse(session.LocalPath(next, "/home"))
		if err == nil && (u.Host != "id.example.org" || u.Scheme != "https") {
			t.Fatalf("%q leads to %s", next, u)
		}
	})
}

// D17: only who looks at a page may be told from memory, never who acts.
func TestOnlyLooksComeFromMemory(t *testing.T) {
	dir := &directory{known: map[string]identity.Session{"default" + secretLike("s"): {PersonID: "p-rosa"}}}
	m := manager(t, "http://localhost:8080", dir)
	for _, c := range []struct {
		method string
		wrap   func(http.Handler) http.Handler
		want   int
	}{{"GET", m.Look, 1}, {"HEAD", m.Look, 1}, {"POST", m.Look, 0}, {"GET", m.Load, 0}, {"POST", m.Load, 0}} {
		dir.glimpses = 0
		r := httptest.NewRequest(c.method, "/", nil)
		r.AddCookie(&http.Cookie{Name: m.CookieName(), Value: secretLike("s")})
		known := false
		serve(c.wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, known = session.From(r) })), r)
		if dir.glimpses != c.want || !known {
			t.Errorf("%s: %d from memory, want %d; known %v", c.method, dir.glimpses, c.want, known)
		}
	}
}
