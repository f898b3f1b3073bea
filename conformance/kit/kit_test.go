package kit_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

// The vectors of RFC 6238 appendix B for SHA-1, cut to six digits.
func TestTOTP(t *testing.T) {
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // "12345678901234567890"
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		got, err := kit.TOTP(secret, time.Unix(at, 0))
		if err != nil || got != want {
			t.Errorf("at %d: %s, %v, want %s", at, got, err, want)
		}
	}
	if _, err := kit.TOTP("not base32!", time.Unix(0, 0)); err == nil {
		t.Error("a secret that is not base32 is taken")
	}
}

// The example of RFC 7636 appendix B.
func TestChallenge(t *testing.T) {
	if got := kit.Challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"); got != "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" {
		t.Error(got)
	}
}

const page = `<!doctype html><title>x</title><script>var hidden = "no text"</script>
<form method="post" action="/next?a=1"><input type="hidden" name="csrf" value="c"><input name="username">
<input type="checkbox" id="k" name="kind.Observation" value="on" checked aria-describedby="n"><label for="k">Test <b>results</b></label><span id="n">536 entries</span>
<input type="checkbox" id="o" name="odd"><label for="o">Odd</label>
<input type="radio" id="r1" name="patient" value="t1"><label for="r1">Rosa Alvarez</label><input type="radio" id="r2" name="patient" value="t2" checked><label for="r2">Joaquin</label>
<input name="off" value="x" disabled><input value="nameless"><select name="s"><option value="1"><option value="2" selected></select>
<button type="submit" name="answer" value="allow">Allow</button><button type="button" name="answer" value="none">No submit</button></form>
<form><input name="q"></form><a href="/apps/1/end">End</a><a>no link</a>`

func forms(t *testing.T) []*kit.Form {
	t.Helper()
	base, err := url.Parse("http://localhost:1/here")
	if err != nil {
		t.Fatal(err)
	}
	out, err := kit.ParseForms([]byte(page), base)
	if err != nil || len(out) != 2 {
		t.Fatal(out, err)
	}
	return out
}

func TestFormsAreReadAsABrowserDoes(t *testing.T) {
	f := forms(t)[0]
	if f.Method != "POST" || f.Action != "http://localhost:1/next?a=1" || len(f.Buttons) != 1 {
		t.Fatalf("%+v", f)
	}
	box := f.Field("kind.Observation")
	if box.Label != "Test results" || box.Detail != "536 entries" || !box.Checked {
		t.Errorf("%+v", box)
	}
	got := f.Values(f.Button("allow"))
	want := url.Values{"csrf": {"c"}, "username": {""}, "kind.Observation": {"on"}, "patient": {"t2"}, "s": {"2"}, "answer": {"allow"}}
	if got.Encode() != want.Encode() {
		t.Errorf("sends %s, want %s", got.Encode(), want.Encode())
	}
	if second := forms(t)[1]; second.Method != "GET" || second.Action != "http://localhost:1/here" {
		t.Errorf("%+v", second)
	}
}

func TestFormsAreFilled(t *testing.T) {
	f := forms(t)[0]
	if !f.Set("username", "rosa") || !f.Tick("Test results", false) || !f.Tick("odd", true) || !f.Choose("patient", "Rosa") {
		t.Fatal("a control was not found")
	}
	if f.Set("nothing", "x") || f.Tick("patient", true) || f.Choose("patient", "Noah") {
		t.Error("a control was found that is not there")
	}
	got := f.Values(nil)
	if got.Get("username") != "rosa" || got.Has("kind.Observation") || got.Get("odd") != "on" || got.Get("patient") != "t1" || got.Has("answer") {
		t.Error(got.Encode())
	}
}

func TestTextAndLinks(t *testing.T) {
	base, err := url.Parse("http://localhost:1/")
	if err != nil {
		t.Fatal(err)
	}
	if links := kit.Links([]byte(page), base); len(links) != 1 || links[0] != "http://localhost:1/apps/1/end" {
		t.Error(links)
	}
	if text := kit.Text([]byte(page)); strings.Contains(text, "hidden") || !strings.Contains(text, "536 entries") {
		t.Error(text)
	}
}

// A browser stops where a redirect leads to the app, and sends what it was
// given as cookies.
func TestBrowserStopsAtTheApp(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /fhir/.well-known/smart-configuration", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{}`)) })
	mux.HandleFunc("GET /a", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "k", Value: "v"})
		http.Redirect(w, r, "/b", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /b", func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie("k")
		if err != nil || c.Value != "v" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		http.Redirect(w, r, "http://app.example/cb?code=1", http.StatusSeeOther)
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	target, err := kit.NewTarget(t.Context(), kit.Ready{FHIRBase: s.URL + "/fhir"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.NewBrowser(kit.Person{}).Open(t.Context(), s.URL+"/a", "http://app.example/cb")
	if err != nil || p.Back == nil || p.Back.Query().Get("code") != "1" || len(p.Trail) != 2 {
		t.Errorf("%+v %v", p, err)
	}
}

// The text of an answer is for reports: it must never hold a token.
func TestResponseTextHidesTokens(t *testing.T) {
	r := &kit.Response{Method: "POST", URL: "http://x/token", Status: 200, Body: []byte(`{"access_token":"secret","refresh_token":"secret","scope":"s"}`)}
	if strings.Contains(r.String(), "secret") {
		t.Error(r)
	}
	o := &kit.Response{Method: "GET", URL: "http://x/fhir/Patient/1", Status: 403, Body: []byte(`{"resourceType":"OperationOutcome","issue":[{"code":"forbidden","diagnostics":"Not granted."}]}`)}
	if o.String() != "GET /fhir/Patient/1 → 403 OperationOutcome forbidden; Not granted." {
		t.Error(o)
	}
}

// Needs decide what is reported as not tested.
func TestNeeds(t *testing.T) {
	bare := &kit.Target{}
	if bare.Has() != 0 {
		t.Errorf("a bare base has %s", bare.Has())
	}
	full := &kit.Target{Ready: kit.Ready{
		Clients: []kit.Client{{ID: "a", Kind: "public", RedirectURIs: []string{"http://x"}}, {ID: "b", Kind: "backend", PrivateJWKS: []byte(`{}`)}, {ID: "c", Kind: "symmetric"}},
		People:  []kit.Person{{Username: "rosa"}},
	}}
	if got := full.Has(); got != kit.Login|kit.Backend {
		t.Errorf("it has %s", got)
	}
	if text := (kit.Login | kit.Clock).String(); text != "a log-in, a clock that can be moved" {
		t.Error(text)
	}
}

func TestCheckCollects(t *testing.T) {
	var c kit.Check
	if !c.That(true, "fine") || c.That(false, "one %d", 1) || c.Note(context.Canceled) || !c.Note(nil) {
		t.Error("That and Note give back what they saw")
	}
	if err := c.Err(); err == nil || err.Error() != "one 1\ncontext canceled" {
		t.Error(err)
	}
}

func TestBelongs(t *testing.T) {
	about := func(member, ref string) kit.Entry {
		return kit.Entry{Type: "Observation", Resource: map[string]any{member: map[string]any{"reference": ref}}}
	}
	for _, x := range []struct {
		e    kit.Entry
		want bool
	}{
		{kit.Entry{Type: "Patient", ID: "rosa"}, true}, {kit.Entry{Type: "Patient", ID: "noah"}, false},
		{about("subject", "Patient/rosa"), true}, {about("patient", "Patient/noah"), false},
		{about("subject", "https://other/Patient/rosa"), false}, {kit.Entry{Type: "Practitioner"}, true},
	} {
		if got := x.e.Belongs("rosa"); got != x.want {
			t.Errorf("%+v belongs: %v", x.e, got)
		}
	}
}

// Other servers name their fields and buttons otherwise.
func TestPagesOfOtherServers(t *testing.T) {
	base, err := url.Parse("https://ehr.example/login")
	if err != nil {
		t.Fatal(err)
	}
	forms, err := kit.ParseForms([]byte(`<form method=post><input type=hidden name=csrf value=1><input type=email name=login><input type=password name=pass>
		<input type=submit value="Log in"></form>
		<form method=post action="/consent"><button name=choice value=1>Approve access</button><input type=submit name=choice value=Cancel></form>
		<form method=post><button>Continue</button></form>`), base)
	if err != nil || len(forms) != 3 {
		t.Fatal(len(forms), err)
	}
	p := kit.Page{Forms: forms}
	if p.SignInForm() != forms[0] || forms[0].Who().Name != "login" || forms[0].Secret().Name != "pass" {
		t.Error("the sign-in form is not found")
	}
	ask := p.ConsentForm()
	if ask != forms[1] || ask.Button("allow").Value != "1" || ask.Button("deny").Value != "Cancel" {
		t.Error("the consent form is not found")
	}
	if forms[2].Button("allow") != nil || forms[2].Secret() != nil || forms[2].Who() != nil {
		t.Error("a form that asks nothing is taken for one that does")
	}
}
