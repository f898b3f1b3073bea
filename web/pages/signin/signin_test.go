package signin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

func TestRosaSignsIn(t *testing.T) {
	b := newBrowser(t)
	page := open[pages.SignIn](b, "/signin?next=%2Fapps%3Fa%3Db")
	if page.Next != "/apps?a=b" || page.CSRF == "" || page.Notice == nil || page.Notice.Key != pages.NoticeSignInFirst {
		t.Errorf("%+v", page)
	}
	resp := b.post("/signin", "username", "rosa", "password", "right", "next", page.Next)
	b.wantRedirect(resp, "/apps?a=b")
	if c := cookie(resp, "mandate_session"); c == nil || c.Value != b.house.secret(1) || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("cookie: %+v", c)
	}
	if c := cookie(resp, pages.LangCookie); c == nil || c.Value != "es" {
		t.Errorf("her language is not kept: %+v", c)
	}
	if m := b.house.meta; m.Address != "127.0.0.1" || m.Previous != "" {
		t.Errorf("%+v", m)
	}
	if p := open[pages.SignedOut](b, "/signed-out"); p.SignedInAs != "Rosa Alvarez" || p.Staff {
		t.Errorf("the frame does not know her: %+v", p.Frame)
	}
	if resp := b.get(pages.StayPath); resp.StatusCode != http.StatusNoContent {
		t.Errorf("stay signed in: %d", resp.StatusCode)
	}
}

func TestWhereASignInLeads(t *testing.T) {
	for next, want := range map[string]string{
		"": "/home", "/apps": "/apps", "//evil.example": "/home", "https://evil.example/x": "/home", "/\\evil.example": "/home",
		"flow-1": "/authorize/flow-1", "flow-of-somebody-else": "/home",
	} {
		b := newBrowser(t)
		open[pages.SignIn](b, "/signin?next="+url.QueryEscape(next))
		b.wantRedirect(b.post("/signin", "username", "rosa", "password", "right", "next", next), want)
	}
	b := newBrowser(t)
	b.cookiesOf("mandate_lang", "en")
	open[pages.SignIn](b, "/signin")
	resp := b.post("/signin", "username", "rosa", "password", "right")
	if b.house.meta.Language != "en" || cookie(resp, pages.LangCookie) != nil {
		t.Errorf("the browser's own choice is overruled: %+v", b.house.meta)
	}
}

func TestAnAppWaits(t *testing.T) {
	b := newBrowser(t)
	page := open[pages.SignIn](b, "/signin?flow=flow-1")
	if page.AppName != "Heart Diary" || !page.CanCancel || page.Next != "flow-1" || page.AppRedirect != "https://app.example/cb" || page.Notice != nil {
		t.Errorf("%+v", page)
	}
	b.wantRedirect(b.post("/signin", "answer", "cancel", "next", "flow-1"), "/authorize/flow-1/cancel")
	b.wantRedirect(b.post("/signin", "username", "elena", "password", "right", "next", "flow-1"), "/signin/code?next=flow-1")
	code := open[pages.SecondFactor](b, "/signin/code?next=flow-1")
	if code.AppName != "Heart Diary" || !code.CanCancel || code.Next != "flow-1" {
		t.Errorf("%+v", code)
	}
	b.wantRedirect(b.post("/signin/code", "answer", "cancel", "next", "flow-1"), "/authorize/flow-1/cancel")
	b.wantRedirect(b.post("/signin/code", "code", "123456", "next", "flow-1"), "/authorize/flow-1")
}

// Same answer whatever was wrong; the name stays, the password does not.
func TestFailedSignIns(t *testing.T) {
	for _, c := range []struct {
		name, user, pw, field, key string
		status                     int
	}{
		{"wrong", "rosa", "wrong", "username", pages.ErrSignIn, 401},
		{"unknown", "nobody", "right", "username", pages.ErrSignIn, 401},
		{"no password", "rosa", "", "password", pages.ErrRequired, 400},
		{"no name", " ", "right", "username", pages.ErrRequired, 400},
		{"too many", "busy", "right", "", pages.ErrTooMany, 429},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBrowser(t)
			open[pages.SignIn](b, "/signin")
			resp := b.post("/signin", "username", c.user, "password", c.pw, "next", "/apps")
			page := shown[pages.SignIn](b)
			if resp.StatusCode != c.status || len(page.Errors) != 1 || page.Errors[0].Field != c.field || page.Errors[0].Key != c.key {
				t.Fatalf("%d %+v", resp.StatusCode, page.Errors)
			}
			if page.Username != c.user || page.Next != "/apps" {
				t.Errorf("what was typed is lost: %+v", page)
			}
			if c.status == 429 && (resp.Header.Get("Retry-After") != "900" || page.Errors[0].Args["count"] != 15) {
				t.Errorf("%v %v", resp.Header, page.Errors[0].Args)
			}
			if cookie(resp, "mandate_session") != nil {
				t.Error("a session was begun")
			}
		})
	}
	b := newBrowser(t)
	open[pages.SignIn](b, "/signin")
	if resp := b.post("/signin", "username", "down", "password", "right"); resp.StatusCode != 503 {
		t.Errorf("the store is down: %d", resp.StatusCode)
	}
}

// SMART AZ-19: a forged post is refused and nothing is tried.
func TestForgedPosts(t *testing.T) {
	for _, path := range []string{"/signin", "/staff", "/signin/code", "/signout", "/language"} {
		b := newBrowser(t)
		b.token = "made up"
		resp := b.post(path, "username", "rosa", "password", "right", "code", "123456", "language", "es")
		if resp.StatusCode != http.StatusForbidden || b.house.calls != 0 {
			t.Errorf("%s without a form: %d", path, resp.StatusCode)
		}
		open[pages.SignIn](b, "/signin")
		resp = b.send(path, "https://evil.example", url.Values{"csrf": {b.token}, "username": {"rosa"}, "password": {"right"}})
		if resp.StatusCode != http.StatusForbidden || b.house.calls != 0 {
			t.Errorf("%s from another site: %d", path, resp.StatusCode)
		}
	}
	b := newBrowser(t)
	open[pages.SignIn](b, "/signin")
	if resp := b.post("/signin", "username", strings.Repeat("x", 64<<10)); resp.StatusCode != 400 || b.house.calls != 0 {
		t.Errorf("an endless form: %d", resp.StatusCode)
	}
}

func TestElenaNeedsHerCode(t *testing.T) {
	b := newBrowser(t)
	b.wantRedirect(b.get("/signin/code?next=%2Fapps"), "/signin?next=%2Fapps")
	open[pages.SignIn](b, "/signin")
	b.wantRedirect(b.post("/signin", "username", "elena", "password", "right", "next", "/apps"), "/signin/code?next=%2Fapps")
	if resp := b.get(pages.StayPath); resp.StatusCode != 401 {
		t.Errorf("a half log-in opens a page for people signed in: %d", resp.StatusCode)
	}
	if p := open[pages.SignIn](b, "/signin"); p.Notice != nil {
		t.Errorf("half a log-in is called an ended session: %+v", p.Notice)
	}
	page := open[pages.SecondFactor](b, "/signin/code?next=%2Fapps")
	if page.Next != "/apps" || page.SignedInAs != "" {
		t.Errorf("%+v", page)
	}
	for _, c := range []struct {
		code, key string
		status    int
	}{{"", pages.ErrRequired, 400}, {"000000", pages.ErrCode, 401}, {"429429", pages.ErrTooMany, 429}} {
		resp := b.post("/signin/code", "code", c.code, "next", "/apps")
		if p := shown[pages.SecondFactor](b); resp.StatusCode != c.status || p.Errors[0].Key != c.key || p.Next != "/apps" {
			t.Errorf("%s: %d %+v", c.code, resp.StatusCode, p.Errors)
		}
	}
	resp := b.post("/signin/code", "code", "123456", "next", "/apps")
	b.wantRedirect(resp, "/apps")
	if c := cookie(resp, "mandate_session"); c == nil || c.Value != b.house.secret(2) {
		t.Errorf("SE-14: the secret was not rotated: %+v", c)
	}
	b.wantRedirect(b.get("/signin/code?next=%2Fpeople"), "/people")
}

func TestAnAccountWithoutASecondFactorIsToldSo(t *testing.T) {
	b := newBrowser(t)
	open[pages.SignIn](b, "/signin")
	b.post("/signin", "username", "elena", "password", "right")
	open[pages.SecondFactor](b, "/signin/code")
	if resp := b.post("/signin/code", "code", "404404"); resp.StatusCode != 401 || b.refused != "second-factor-missing" {
		t.Errorf("%d %s", resp.StatusCode, b.refused)
	}
}

func TestTheConsole(t *testing.T) {
	b := newBrowser(t)
	if page := open[pages.StaffSignIn](b, "/staff"); page.Action != "/staff" {
		t.Errorf("%+v", page)
	}
	if resp := b.post("/staff", "username", "osei", "password", "wrong"); resp.StatusCode != 401 || shown[pages.StaffSignIn](b).Username != "osei" {
		t.Errorf("%d", resp.StatusCode)
	}
	b.wantRedirect(b.post("/staff", "username", "osei", "password", "right"), "/signin/code")
	open[pages.SecondFactor](b, "/signin/code")
	b.wantRedirect(b.post("/signin/code", "code", "123456"), "/staff")
	if page := open[pages.StaffHome](b, "/staff"); page.Name != "Dr Osei" || !page.Staff || len(page.Tasks) != 1 {
		t.Errorf("%+v", page)
	}
}

func TestLeaving(t *testing.T) {
	b := newBrowser(t)
	open[pages.SignIn](b, "/signin")
	b.post("/signin", "username", "rosa", "password", "right")
	open[pages.SignedOut](b, "/signed-out")
	resp := b.post("/signout")
	b.wantRedirect(resp, "/signed-out")
	if c := cookie(resp, "mandate_session"); c == nil || c.MaxAge >= 0 {
		t.Errorf("the cookie stays: %+v", c)
	}
	if page := open[pages.SignedOut](b, "/signed-out"); page.SignedInAs != "" || page.SignInURL != "/signin" {
		t.Errorf("%+v", page)
	}
}

func TestAnEndedSessionIsExplained(t *testing.T) {
	b := newBrowser(t)
	open[pages.SignIn](b, "/signin")
	b.post("/signin", "username", "rosa", "password", "right")
	b.house.live = map[string]account{}
	if p := open[pages.SignIn](b, "/signin?next=%2Fapps"); p.Notice == nil || p.Notice.Key != pages.NoticeSessionEnded {
		t.Errorf("%+v", p.Notice)
	}
	b.wantRedirect(b.post("/signin/code", "code", "123456", "next", "/apps"), "/signin?next=%2Fapps")
}

func TestChoosingALanguage(t *testing.T) {
	b := newBrowser(t)
	open[pages.SignIn](b, "/signin")
	resp := b.post("/language", "language", "es", "next", "/signin?next=%2Fapps")
	b.wantRedirect(resp, "/signin?next=%2Fapps")
	if c := cookie(resp, pages.LangCookie); c == nil || c.Value != "es" {
		t.Errorf("%+v", c)
	}
	if resp := b.post("/language", "language", "tlh"); resp.StatusCode != 400 || b.refused != "language-unknown" {
		t.Errorf("%d", resp.StatusCode)
	}
	b.post("/signin", "username", "rosa", "password", "right")
	open[pages.SignedOut](b, "/signed-out")
	b.wantRedirect(b.post("/language", "language", "en", "next", "//evil.example"), "/home")
	if b.house.language != "en" {
		t.Error("the session does not keep the language")
	}
}

// web/session and web/pages do not know one another but must agree.
func TestNamesOnWhichTwoPackagesAgree(t *testing.T) {
	if session.FormField != pages.FieldCSRF || session.LangCookie != pages.LangCookie {
		t.Error("the form field or the language cookie has two names")
	}
}

func TestTheRoutesStateTheirFacts(t *testing.T) {
	for _, r := range newBrowser(t).routes {
		if err := r.Validate(); err != nil {
			t.Error(err)
		}
	}
}
