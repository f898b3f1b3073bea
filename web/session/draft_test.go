package session_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/web/session"
)

// asks is a request of a browser with cookies.
func asks(method, path, flow, sess string, form url.Values, more ...*http.Cookie) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	for _, c := range append(more, &http.Cookie{Name: "mandate_flow", Value: flow}, &http.Cookie{Name: "mandate_session", Value: sess}) {
		r.AddCookie(c)
	}
	_ = r.ParseForm()
	return r
}

// secured sends the cookies under the names that they have over https too.
func secured(r *http.Request) *http.Request {
	for _, c := range r.Cookies() {
		r.AddCookie(&http.Cookie{Name: "__Host-" + c.Name, Value: c.Value})
	}
	return r
}

// kept gives the cookie of a draft that an answer sets.
func kept(resp *http.Response) *http.Cookie {
	for _, c := range resp.Cookies() {
		if strings.HasSuffix(c.Name, "_draft") {
			return c
		}
	}
	return nil
}

// LC-01, SM-02, SP-20: a form that comes too late is there again after the proof,
// for the same person, browser and page, once, and readable by nobody else.
func TestADraftWaitsForTheProof(t *testing.T) {
	now := clock.System{}.Now()
	m := manager(t, "https://id.example.org", &directory{known: map[string]identity.Session{
		"default" + secretLike("1"): {PersonID: "rosa", AMR: []string{"pwd"}, AuthTime: now},
		"default" + secretLike("2"): {PersonID: "rosa", AMR: []string{"pwd", "otp"}, AuthTime: now.Add(-6 * time.Minute)},
		"default" + secretLike("3"): {PersonID: "rosa", AMR: []string{"pwd", "otp"}, AuthTime: now},
		"default" + secretLike("4"): {PersonID: "tom", AMR: []string{"pwd", "otp"}, AuthTime: now},
	}})
	late := func(sess string, form url.Values) *http.Response {
		return serve(m.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if m.Meets(r, identity.ActShare) {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			m.Late(w, r, identity.ActShare, "name")
		})), secured(asks("POST", "/people/invite", secretLike("f"), sess, form)))
	}
	form := url.Values{"name": {"Bea Brook"}, "password": {"hidden"}, session.FormField: {"x"}}
	if resp := late(secretLike("3"), form); resp.StatusCode != http.StatusNoContent {
		t.Errorf("a fresh proof: %d", resp.StatusCode)
	}
	if c := kept(late(secretLike("2"), url.Values{"name": {strings.Repeat("long", 1000)}})); c != nil {
		t.Error("a cookie that browsers refuse")
	}
	var draft *http.Cookie
	for _, sess := range []string{secretLike("1"), secretLike("2")} {
		resp := late(sess, form)
		if at := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || at != "/signin/code?again=1&next=%2Fpeople%2Finvite" {
			t.Errorf("%d %s", resp.StatusCode, at)
		}
		draft = kept(resp)
		if draft == nil || !draft.HttpOnly || !draft.Secure || strings.Contains(draft.Value, "Brook") {
			t.Fatalf("the cookie %v", draft)
		}
	}
	read := func(path, flow, sess string) (out url.Values, resp *http.Response) {
		resp = serve(m.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { out = m.Draft(w, r) })),
			secured(asks("GET", path, flow, sess, nil, &http.Cookie{Name: "mandate_draft", Value: draft.Value})))
		return out, resp
	}
	for _, c := range [][3]string{
		{"/people/x/share", secretLike("f"), secretLike("3")},
		{"/people/invite", secretLike("g"), secretLike("3")},
		{"/people/invite", secretLike("f"), secretLike("4")},
		{"/people/invite", secretLike("f"), ""},
	} {
		if out, _ := read(c[0], c[1], c[2]); out != nil {
			t.Errorf("%v reads %v", c, out)
		}
	}
	out, resp := read("/people/invite", secretLike("f"), secretLike("3"))
	if out.Get("name") != "Bea Brook" || len(out) != 1 {
		t.Errorf("the draft: %v", out)
	}
	if gone := kept(resp); gone == nil || gone.MaxAge >= 0 {
		t.Error("a draft comes again")
	}
}
