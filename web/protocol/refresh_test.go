package protocol_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/oauth"
)

// exchange gives the tokens of a fresh grant to the symmetric client.
func (w *world) exchange(edit func(g *oauth.Grant)) (answer, oauth.Grant) {
	w.t.Helper()
	g := w.grantOf("web")
	if edit != nil {
		edit(&g)
	}
	a := w.request("/token", codeForm(w.code(g)), basic("web", secretA))
	if a.status != http.StatusOK {
		w.t.Fatal(a.raw)
	}
	return a, g
}

func (w *world) refresh(token string, more ...string) answer {
	w.t.Helper()
	return w.request("/token", refreshForm(token, more...), basic("web", secretA))
}

// SMART REF-01…REF-05, REF-11, CTX-19: each refresh rotates; a narrowed one
// leaves the grant as it was.
func TestRefresh(t *testing.T) {
	w := newWorld(t)
	first, g := w.exchange(nil)
	narrow := "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory patient/Patient.r openid"
	second := w.refresh(first.str("refresh_token"), "scope", narrow)
	if second.status != 200 || second.body["scope"] != narrow || second.body["expires_in"] != 3600.0 || second.body["patient"] != "rosa" {
		t.Fatalf("%d %s", second.status, second.raw)
	}
	if second.header.Get("Cache-Control") != "no-store" || second.header.Get("Pragma") != "no-cache" || second.body["id_token"] != nil {
		t.Errorf("%v %s", second.header, second.raw)
	}
	if second.str("refresh_token") == first.str("refresh_token") || second.str("refresh_token") == "" {
		t.Error("the refresh token was not rotated")
	}
	third := w.refresh(second.str("refresh_token"))
	if third.body["scope"] != g.Scopes {
		t.Errorf("without scope: %s", third.raw)
	}
	// D11: apps send what they once asked for.
	fourth := w.refresh(third.str("refresh_token"), "scope", "openid fhirUser launch/patient offline_access patient/Patient.rs profile patient/Patient.rs")
	if fourth.body["scope"] != "openid fhirUser launch/patient offline_access patient/Patient.rs" {
		t.Errorf("tolerance: %s", fourth.raw)
	}
	last := fourth.str("refresh_token")
	for _, wide := range []string{"patient/*.rs", "patient/Patient.cruds", "patient/Condition.rs", "user/Patient.rs", "unknown"} {
		w.expect(wide, w.refresh(last, "scope", wide), 400, "invalid_scope")
	}
	w.expect("another client", w.request("/token", refreshForm(last), basic("other", secretB)), 400, "invalid_grant")
	w.expect("no authentication", w.request("/token", refreshForm(last)), 401, "invalid_client")
	w.expect("no token", w.refresh(""), 400, "invalid_request")
	w.expect("unknown token", w.refresh("x"), 400, "invalid_grant")
	if a := w.refresh(last); a.status != 200 {
		t.Errorf("refusals spent the token: %s", a.raw)
	}
}

// SMART REF-08, REF-09: a lost answer may be asked for again within the grace
// and gives the same successor; a use after it, or after the successor was
// used, ends the grant.
func TestRefreshReplay(t *testing.T) {
	w := newWorld(t)
	first, _ := w.exchange(nil)
	second := w.refresh(first.str("refresh_token"))
	w.clock.Advance(20 * time.Second)
	again := w.refresh(first.str("refresh_token"))
	if again.status != 200 || again.str("refresh_token") != second.str("refresh_token") {
		t.Fatalf("retry: %s", again.raw)
	}
	third := w.refresh(again.str("refresh_token"))
	if third.status != 200 {
		t.Fatal(third.raw)
	}
	w.expect("the successor was used", w.refresh(first.str("refresh_token")), 400, "invalid_grant")
	w.expect("newest after replay", w.refresh(third.str("refresh_token")), 400, "invalid_grant")
	if w.active(third.str("access_token")) {
		t.Error("the access token lives on")
	}

	first, g := w.exchange(nil)
	second = w.refresh(first.str("refresh_token"))
	w.clock.Advance(31 * time.Second)
	// SMART REF-02
	w.expect("by a stranger", w.request("/token", refreshForm(first.str("refresh_token")), basic("other", secretB)), 400, "invalid_grant")
	if !w.active(second.str("access_token")) {
		t.Error("a stranger ended the grant")
	}
	w.expect("after the grace", w.refresh(first.str("refresh_token")), 400, "invalid_grant")
	w.expect("newest after replay", w.refresh(second.str("refresh_token")), 400, "invalid_grant")
	events := w.events(audit.TokenReplayed)
	if len(events) != 2 || events[1].GrantID != g.ID || events[1].Reason != "refresh-replayed" {
		t.Errorf("events: %+v", events)
	}
	w.ended(g, "refresh-replayed")
}

// SMART REF-10, SCP-21, SC-10: whatever ends the reason of a grant ends its
// refresh.
func TestRefreshIsDecidedAnew(t *testing.T) {
	w := newWorld(t)
	online := func(g *oauth.Grant) { g.Offline, g.Online = false, true }
	for name, c := range map[string]struct {
		grant func(g *oauth.Grant)
		end   func(g oauth.Grant)
		undo  func()
	}{
		"consent withdrawn": {nil, func(oauth.Grant) { w.denied = denied() }, func() { w.denied = nil }},
		"person disabled":   {nil, func(oauth.Grant) { w.disabled["person-rosa"] = true }, func() { w.disabled = map[string]bool{} }},
		"signed out":        {online, func(oauth.Grant) { w.signedIn = false }, func() { w.signedIn = true }},
		"grant revoked": {nil, func(g oauth.Grant) {
			_ = w.store.InTx(context.Background(), func(t oauth.Tx) error {
				_, err := t.RevokeGrant(context.Background(), tenant, g.ID, "person", w.clock.Now())
				return err
			})
		}, nil},
	} {
		a, g := w.exchange(c.grant)
		if a = w.refresh(a.str("refresh_token")); a.status != 200 {
			t.Fatalf("%s: %s", name, a.raw)
		}
		c.end(g)
		if name != "consent withdrawn" && w.active(a.str("refresh_token")) {
			t.Errorf("%s: the refresh token is active", name)
		}
		w.expect(name, w.refresh(a.str("refresh_token")), 400, "invalid_grant")
		if c.undo != nil {
			c.undo()
		}
	}
	a, _ := w.exchange(nil)
	w.narrowed = "patient/Patient.r"
	a = w.refresh(a.str("refresh_token"))
	if a.body["scope"] != "patient/Patient.r" {
		t.Errorf("narrowed by consent: %s", a.raw)
	}
	w.narrowed = ""
	if a = w.refresh(a.str("refresh_token")); a.body["scope"] == "patient/Patient.r" {
		t.Errorf("the grant was narrowed for good: %s", a.raw)
	}
	w.change("web", func(c *oauth.Client) { c.Disabled = true })
	w.expect("client disabled", w.refresh(a.str("refresh_token")), 401, "invalid_client")
}

// SMART US-01, US-02: each refresh moves the end of an offline grant by its
// renewal; a consent that ends earlier wins; the token is never refreshed past
// the grant's end.
func TestRefreshRenewsTheGrant(t *testing.T) {
	const day = 24 * time.Hour
	w := newWorld(t)
	a, g := w.exchange(func(g *oauth.Grant) {
		g.Ends, g.RenewFor = w.clock.Now().Add(92*day), 92*day
	})
	// Some hours of three months are not written down with each refresh.
	for step, moved := range map[time.Duration]bool{16 * time.Hour: false, 18 * time.Hour: true} {
		before, _ := w.store.GrantByID(context.Background(), tenant, g.ID)
		w.clock.Advance(before.Ends.Add(step - 92*day).Sub(w.clock.Now()))
		a = w.refresh(a.str("refresh_token"))
		after, _ := w.store.GrantByID(context.Background(), tenant, g.ID)
		if a.status != 200 || after.Ends.After(before.Ends) != moved {
			t.Errorf("%s later: %s; ends %v, before %v", step, a.raw, after.Ends, before.Ends)
		}
	}
	for range 3 {
		w.clock.Advance(89 * day)
		if a = w.refresh(a.str("refresh_token")); a.status != 200 {
			t.Fatal(a.raw)
		}
	}
	w.until = w.clock.Now().Add(93 * day)
	w.clock.Advance(89 * day)
	if a = w.refresh(a.str("refresh_token")); a.status != 200 {
		t.Fatal(a.raw)
	}
	stored, _ := w.store.GrantByID(context.Background(), tenant, g.ID)
	if !stored.Ends.Equal(w.until) {
		t.Errorf("ends %v, want the consent's %v", stored.Ends, w.until)
	}
	w.clock.Advance(5 * day)
	w.expect("after the end", w.refresh(a.str("refresh_token")), 400, "invalid_grant")
}

// TOK-11: a proxy's access is short at each refresh, as its grant's end is
// fixed.
func TestProxyRefresh(t *testing.T) {
	w := newWorld(t)
	a, g := w.exchange(func(g *oauth.Grant) { g.Capacity.Kind = fhir.CapacityRepresentative })
	a = w.refresh(a.str("refresh_token"))
	if a.body["expires_in"] != 300.0 {
		t.Error(a.raw)
	}
	if stored, _ := w.store.GrantByID(context.Background(), tenant, g.ID); !stored.Ends.Equal(g.Ends) {
		t.Error("a fixed end moved")
	}
}
