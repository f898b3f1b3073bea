package attack_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

// SE-12…19, AS-08, AS-09: taking a session over.
func TestSessionHijack(t *testing.T) {
	victim := stranger()
	name := "mandate_session"
	planted := strings.Repeat("A", 43)
	if err := victim.Plant(target.Issuer, name, planted); err != nil {
		t.Fatal(err)
	}
	if _, err := victim.SignIn(t.Context(), target.Config.Management); err != nil {
		t.Fatal(err)
	}
	_, mine := cookie(victim, name)
	step(t, "fixation: a cookie planted before the log-in", mine != planted, "the log-in has another one")
	thief := stranger()
	if err := thief.Plant(target.Issuer, name, mine); err != nil {
		t.Fatal(err)
	}
	step(t, "the session cookie in another browser", !opens(t, thief), "asked to sign in")
	step(t, "going on with it after that was noticed", !opens(t, victim), "nobody has the session any more")

	victim = signedIn(t, "rosa")
	_, old := cookie(victim, name)
	if _, err := victim.SignIn(t.Context(), target.Config.Management); err != nil {
		t.Fatal(err)
	}
	g, err := target.Launch(t.Context(), kit.Launch{Client: target.Client("symmetric"), Scope: "launch/patient online_access patient/Patient.rs", Visit: kit.Visit{Browser: victim}})
	if err != nil {
		t.Fatal(err)
	}
	twin := signedIn(t, "rosa")
	page, err := twin.Open(t.Context(), target.Issuer+"/devices", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range page.Forms {
		if v := f.Values(nil); strings.HasSuffix(f.Action, "/devices") && !v.Has("session") {
			if _, err := twin.Submit(t.Context(), f, nil, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	after, ok := soon(func() bool {
		res, err := target.FHIR(t.Context(), g.Access(), "Patient/rosa")
		return err == nil && res.Status == http.StatusUnauthorized
	})
	step(t, "a copied access token after \"sign out everywhere else\"", ok, after.Round(1000000))
	res, err := target.Refresh(t.Context(), g.Client, g.RefreshToken(), "")
	step(t, "a copied refresh token", err == nil && res.Status == http.StatusBadRequest, res)
	if err := victim.Plant(target.Issuer, name, old); err != nil {
		t.Fatal(err)
	}
	step(t, "a copied session cookie", !opens(t, victim), "asked to sign in")

	evil := http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}
	res, err = twin.Raw(t.Context(), kit.Request{Method: http.MethodPost, URL: target.Issuer + "/signout", Form: url.Values{}, Header: evil})
	step(t, "a form of another site", err == nil && res.Status == http.StatusForbidden && opens(t, twin), res.Status)
	res, err = twin.Raw(t.Context(), kit.Request{Method: http.MethodGet, URL: target.Config.Management})
	step(t, "showing a page in a frame", err == nil && res.Header.Get("X-Frame-Options") == "DENY", res.Header.Get("X-Frame-Options"))
}

// SE-13…16, SM-02: what somebody leaves behind, or has only a part of.
func TestHalfASession(t *testing.T) {
	const name = "mandate_session"
	half := target.NewBrowser(target.Person("hale"))
	if res := guess(t, half, "hale", target.Person("hale").Password, "192.0.2.77"); res.Status != http.StatusSeeOther {
		t.Fatal(res)
	}
	_, before := cookie(half, name)
	step(t, "a stolen password of staff, on its own", !opens(t, half), "asked for the second factor")
	if _, err := half.SignIn(t.Context(), target.Config.Management); err != nil {
		t.Fatal(err)
	}
	_, proven := cookie(half, name)
	if err := half.Plant(target.Issuer, name, before); err != nil {
		t.Fatal(err)
	}
	step(t, "the cookie from before the second factor", proven != before && !opens(t, half), "asked to sign in")

	leaver := signedIn(t, "rosa")
	_, left := cookie(leaver, name)
	if err := leaver.SignOut(t.Context(), target.Issuer+"/home"); err != nil {
		t.Fatal(err)
	}
	if err := leaver.Plant(target.Issuer, name, left); err != nil {
		t.Fatal(err)
	}
	step(t, "a session cookie used again after signing out", !opens(t, leaver), "asked to sign in")
	page, err := stranger().SignIn(t.Context(), target.Issuer+"/signin?next=https%3A%2F%2Fevil.example%2F")
	step(t, "a sign-in that leads to another site", err == nil && strings.HasPrefix(page.URL, target.Issuer+"/home"), page.URL)
	keeper := signedIn(t, "rosa")
	res, err := keeper.Raw(t.Context(), kit.Request{Method: http.MethodPost, URL: target.Issuer + "/account/travel", Form: url.Values{"until": {"2027-01-01"}}, Header: http.Header{"Origin": {target.Issuer}, "Sec-Fetch-Site": {"same-origin"}}})
	step(t, "a form without its token", err == nil && res.Status == http.StatusForbidden, res.Status)
	if err := target.Advance(t.Context(), 31*time.Minute); err != nil {
		t.Fatal(err)
	}
	step(t, "a tablet left open for half an hour", !opens(t, keeper), "asked to sign in")
}
