package conformance_test

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testpg"
)

// revocationLimit is how long another node may go on after a revocation (D17).
const revocationLimit = 5 * time.Second

// TestTwoNodes: two processes on one PostgreSQL are one server. What one gave
// the other takes, what one spent or ended the other refuses.
func TestTwoNodes(t *testing.T) {
	dsn := testpg.Start(t)
	first := another(t, "node-1", "--database", dsn)
	a := first.open(t)
	listen := freeAddress(t)
	another(t, "node-2", "--database", dsn, "--public-url", a.Issuer, "--listen", listen)
	b := "http://" + listen
	app := a.Client("public")
	launch := kit.Launch{Client: app, Scope: "launch/patient offline_access patient/Patient.rs", Visit: kit.Visit{Person: "rosa"}}

	t.Run("SMART AZ-16: a code is redeemed once on both nodes together", func(t *testing.T) {
		g, err := a.Code(t.Context(), launch)
		if err != nil {
			t.Fatal(err)
		}
		won := race(t, 20, func(i int) (*kit.Response, error) {
			return a.Call(t.Context(), []string{a.Issuer, b}[i%2]+"/token", app, kit.CodeForm(g.Code, g.Redirect, g.Verifier))
		})
		if won != 1 {
			t.Errorf("%d redemptions succeeded", won)
		}
	})
	t.Run("SMART ASY-10: an assertion is used once on both nodes together", func(t *testing.T) {
		backend := a.Client("backend")
		signed, err := backend.Sign(a.NewAssertion(backend, "ES384"))
		if err != nil {
			t.Fatal(err)
		}
		form := url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Patient.rs"}, "client_assertion_type": {kit.AssertionType}, "client_assertion": {signed}}
		won := race(t, 20, func(i int) (*kit.Response, error) {
			return a.Do(t.Context(), kit.Request{URL: []string{a.Issuer, b}[i%2] + "/token", Form: form})
		})
		if won != 1 {
			t.Errorf("%d uses succeeded", won)
		}
	})
	t.Run("MANDATE PAR-02: a request_uri serves once on both nodes together", func(t *testing.T) {
		short, err := a.Pushed(t.Context(), app, a.AuthorizeRequest(app, launch.Scope, a.NewVerifier()))
		if err != nil {
			t.Fatal(err)
		}
		won := race(t, 20, func(i int) (*kit.Response, error) {
			res, err := a.Do(t.Context(), kit.Request{URL: []string{a.Issuer, b}[i%2] + "/authorize?" + short.Encode()})
			if err == nil && res.Status == http.StatusSeeOther {
				res.Status = http.StatusOK
			}
			return res, err
		})
		if won != 1 {
			t.Errorf("%d browsers came in", won)
		}
	})
	t.Run("SMART REV-02: what one node revokes the other refuses", func(t *testing.T) {
		revokedThere(t, a, b, launch)
	})
}

// revokedThere revokes at the first node and waits for the second to refuse.
func revokedThere(t *testing.T, a *kit.Target, b string, launch kit.Launch) {
	t.Helper()
	g, err := a.Launch(t.Context(), launch)
	if err != nil {
		t.Fatal(err)
	}
	read := func() int {
		res, err := a.Do(t.Context(), kit.Request{URL: b + "/fhir/Patient/rosa", Bearer: g.Access()})
		if err != nil {
			t.Fatal(err)
		}
		return res.Status
	}
	if status := read(); status != http.StatusOK {
		t.Fatalf("before: %d", status)
	}
	if _, err := a.RevokeToken(t.Context(), launch.Client, g.RefreshToken()); err != nil {
		t.Fatal(err)
	}
	res, err := a.Do(t.Context(), kit.Request{URL: b + "/token", Form: url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {g.RefreshToken()}, "client_id": {launch.Client.ID},
	}})
	if err != nil || res.Status != http.StatusBadRequest {
		t.Error(res, err)
	}
	tick, late := time.NewTicker(50*time.Millisecond), time.NewTimer(revocationLimit)
	defer tick.Stop()
	defer late.Stop()
	for read() != http.StatusUnauthorized {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatalf("the other node still answers after %s", revocationLimit)
		}
	}
}

// race calls n times at once and counts the successes.
func race(t *testing.T, n int, call func(i int) (*kit.Response, error)) int {
	t.Helper()
	var wg sync.WaitGroup
	won := make([]bool, n)
	for i := range won {
		wg.Go(func() {
			res, err := call(i)
			won[i] = err == nil && res.Status == http.StatusOK
		})
	}
	wg.Wait()
	successes := 0
	for _, ok := range won {
		if ok {
			successes++
		}
	}
	return successes
}
