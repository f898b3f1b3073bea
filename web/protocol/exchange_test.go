package protocol_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
)

const accessToken = "urn:ietf:params:oauth:token-type:access_token"

func (f *fake) Delegations(_ context.Context, t, grant string) ([]oauth.Delegation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []oauth.Delegation
	for key, d := range f.rows.delegated {
		if strings.HasPrefix(key, t+grant+"|") {
			out = append(out, d)
		}
	}
	return out, nil
}

func (t tx) Delegate(_ context.Context, d oauth.Delegation) error {
	key := d.Tenant + d.GrantID + "|" + d.ClientID
	have, known := t.rows.delegated[key]
	switch {
	case !known:
		have = d
	case !have.Ended.IsZero():
		return errs.New(errs.Conflict, "delegation-ended", "It was ended.")
	}
	have.Last = d.Last
	t.rows.delegated[key] = have
	return nil
}

func exchangeForm(subject string, more ...string) url.Values {
	return with(url.Values{
		"grant_type":    {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token": {subject}, "subject_token_type": {accessToken},
	}, more...)
}

// agents registers clients that act with tokens of others.
func (w *world) agents() {
	h, err := w.ring.Hasher(context.Background(), tenant)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range []oauth.Client{
		{ID: "agent", Scopes: "patient/Observation.rs patient/Condition.rs", MayAct: []string{"lab"}},
		{ID: "lab", Scopes: "patient/*.r", SecretForItself: true},
		{ID: "stranger", Scopes: "patient/*.rs"},
	} {
		c.Tenant, c.Kind, c.TokenExchange = tenant, oauth.ClientSymmetric, true
		c.SecretHashes = []string{clientauth.SecretHash(h, secretB)}
		w.store.rows.clients[tenant+c.ID] = c
	}
}

// handing lets the public app hand its tokens on to the agent, and gives one.
func (w *world) handing() (oauth.Grant, string) {
	w.agents()
	w.change("public", func(c *oauth.Client) { c.MayAct = []string{"agent"} })
	g := w.grantOf("public")
	a := w.request("/token", codeForm(w.code(g), "client_id", "public"))
	return g, a.str("access_token")
}

func (w *world) handOn(client, subject string, more ...string) answer {
	return w.request("/token", exchangeForm(subject, more...), basic(client, secretB))
}

// RFC 8693 §2.2, §4.1; peers 23; SC-22: an agent gets what the app has, its own
// registration allows and no more, named in act, and hands it on once more. Each
// exchange is one commit with an event that shows the chain.
func TestExchange(t *testing.T) {
	w := newWorld(t)
	g, subject := w.handing()
	w.clock.Advance(10 * time.Minute)
	a := w.handOn("agent", subject)
	if a.status != 200 || a.body["issued_token_type"] != accessToken || a.body["token_type"] != "Bearer" || a.body["scope"] != "patient/Observation.rs" ||
		a.body["refresh_token"] != nil || a.body["id_token"] != nil || a.body["patient"] != "rosa" || a.body["expires_in"] != 3000.0 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	_, c := claims(t, a.str("access_token"))
	act, _ := c["act"].(map[string]any)
	if c["sub"] != "person-rosa" || c["client_id"] != "agent" || c["aud"] != w.site.FHIRBase || c["grant"] != g.ID || act["sub"] != "agent" || act["act"] != nil {
		t.Errorf("%v", c)
	}
	further := w.handOn("lab", a.str("access_token"), "scope", "patient/Observation.r?category=laboratory", "audience", w.site.FHIRBase+"/")
	_, c = claims(t, further.str("access_token"))
	act, _ = c["act"].(map[string]any)
	before, _ := act["act"].(map[string]any)
	if further.body["scope"] != "patient/Observation.r?category=laboratory" || act["sub"] != "lab" || before["sub"] != "agent" || before["act"] != nil {
		t.Errorf("%d %s %v", further.status, further.raw, c)
	}
	i := w.request("/introspect", url.Values{"token": {further.str("access_token")}}, basic("lab", secretB))
	told, _ := i.body["act"].(map[string]any)
	if i.body["active"] != true || i.body["client_id"] != "lab" || told["sub"] != "lab" || i.body["sub"] != "person-rosa" {
		t.Errorf("%s", i.raw)
	}
	var chains []string
	for _, e := range w.events(audit.TokenIssued) {
		if e.GrantID == g.ID && e.Detail["act"] != "" {
			chains = append(chains, e.ClientID+": "+e.Detail["act"])
		}
	}
	if !slices.Equal(chains, []string{"agent: agent public", "lab: lab agent public"}) {
		t.Errorf("%q", chains)
	}
	if e := w.events(audit.TokenIntrospected); e[len(e)-1].Detail["act"] != "lab agent public" {
		t.Errorf("%+v", e)
	}
}

// RFC 8693 §2.2.2: what is refused, and how.
func TestExchangeRefusals(t *testing.T) {
	w := newWorld(t)
	_, subject := w.handing()
	system := w.request("/token", backendForm("system/Patient.rs"), basic("legacy", secretB)).str("access_token")
	if system == "" {
		t.Fatal("no token of a client that acts for itself")
	}
	for name, c := range map[string]struct {
		client     string
		form       []string
		code, kind string
	}{
		"no subject":         {"agent", []string{"subject_token", ""}, "parameter-missing", "invalid_request"},
		"no type":            {"agent", []string{"subject_token_type", ""}, "parameter-missing", "invalid_request"},
		"garbage":            {"agent", []string{"subject_token", "garbage"}, "subject-token-invalid", "invalid_request"},
		"an id_token":        {"agent", []string{"subject_token_type", "urn:ietf:params:oauth:token-type:id_token"}, "token-type-unsupported", "invalid_request"},
		"a refresh token":    {"agent", []string{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, "token-type-unsupported", "invalid_request"},
		"actor without type": {"agent", []string{"actor_token", subject}, "actor-token-type", "invalid_request"},
		"type without actor": {"agent", []string{"actor_token_type", accessToken}, "actor-token-type", "invalid_request"},
		"a person as actor":  {"agent", []string{"actor_token", subject, "actor_token_type", accessToken}, "actor-token-personal", "invalid_request"},
		"dead actor":         {"agent", []string{"actor_token", "x", "actor_token_type", accessToken}, "actor-token-invalid", "invalid_request"},
		"no person":          {"agent", []string{"subject_token", system}, "subject-token-personless", "invalid_request"},
		"another audience":   {"agent", []string{"audience", "https://elsewhere.example/fhir"}, "target-unknown", "invalid_target"},
		"another resource":   {"agent", []string{"resource", "https://elsewhere.example/fhir"}, "target-unknown", "invalid_target"},
		"wider":              {"agent", []string{"scope", "patient/Observation.cruds"}, "scope-wider-than-grant", "invalid_scope"},
		"outside":            {"agent", []string{"scope", "patient/Patient.rs"}, "scope-not-registered", "invalid_scope"},
		"not named":          {"stranger", nil, "actor-not-allowed", "invalid_request"},
		"not registered":     {"other", nil, "grant-type-not-registered", "unauthorized_client"},
	} {
		a := w.handOn(c.client, subject, c.form...)
		if a.status != 400 || a.body["error"] != c.kind || !strings.Contains(a.raw, c.code) {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	if len(w.store.rows.delegated) != 0 {
		t.Errorf("%v", w.store.rows.delegated)
	}
	a := w.request("/token", exchangeForm(subject, "client_id", "public"))
	w.expect("a public client", a, 400, "unauthorized_client")
}

// With an actor token the app itself may ask for its agent, but for nobody whom
// its registration does not name.
func TestExchangeForAnActor(t *testing.T) {
	w := newWorld(t)
	w.agents()
	w.change("web", func(c *oauth.Client) { c.MayAct, c.TokenExchange = []string{"lab"}, true })
	own := w.request("/token", codeForm(w.code(w.grantOf("web"))), basic("web", secretA)).str("access_token")
	w.change("lab", func(c *oauth.Client) { c.Scopes = "patient/*.r system/Patient.r" })
	actor := w.request("/token", backendForm("system/Patient.r"), basic("lab", secretB)).str("access_token")
	a := w.request("/token", exchangeForm(own, "actor_token", actor, "actor_token_type", accessToken), basic("web", secretA))
	_, c := claims(t, a.str("access_token"))
	act, _ := c["act"].(map[string]any)
	if a.status != 200 || c["client_id"] != "web" || act["sub"] != "lab" || a.body["scope"] != "patient/Patient.r patient/Observation.r" {
		t.Fatalf("%d %s %v", a.status, a.raw, c)
	}
	if !w.active(a.str("access_token")) {
		t.Error("not active")
	}
	w.request("/revoke", url.Values{"token": {actor}}, basic("lab", secretB))
	if w.active(a.str("access_token")) {
		t.Error("it outlives the actor's token")
	}
	w.expect("itself", w.request("/token", exchangeForm(own), basic("web", secretA)), 400, "invalid_request")
}

// A delegated token dies with everything that it was made from, and never lives
// longer.
func TestExchangedTokenDies(t *testing.T) {
	for name, end := range map[string]func(w *world, g oauth.Grant, subject, middle string){
		"the subject token is revoked": func(w *world, _ oauth.Grant, subject, _ string) {
			w.request("/revoke", url.Values{"token": {subject}, "client_id": {"public"}})
		},
		"the agent's token is revoked": func(w *world, _ oauth.Grant, _, middle string) {
			w.request("/revoke", url.Values{"token": {middle}}, basic("agent", secretB))
		},
		"the grant is ended": func(w *world, g oauth.Grant, _, _ string) {
			g.Revoked = w.clock.Now()
			w.store.rows.grants[tenant+g.ID] = g
		},
		"the person is disabled": func(w *world, g oauth.Grant, _, _ string) { w.disabled[g.PersonID] = true },
		"the app is disabled": func(w *world, _ oauth.Grant, _, _ string) {
			w.change("public", func(c *oauth.Client) { c.Disabled = true })
		},
		"the app's tokens were ended": func(w *world, _ oauth.Grant, _, _ string) {
			w.change("public", func(c *oauth.Client) { c.Epoch++ })
		},
		"the agent is disabled": func(w *world, _ oauth.Grant, _, _ string) {
			w.change("agent", func(c *oauth.Client) { c.Disabled = true })
		},
		"the person ended the agent": func(w *world, g oauth.Grant, _, _ string) {
			key := tenant + g.ID + "|agent"
			d := w.store.rows.delegated[key]
			d.Ended = w.clock.Now()
			w.store.rows.delegated[key] = d
		},
		"an hour has passed": func(w *world, _ oauth.Grant, _, _ string) { w.clock.Advance(31 * time.Minute) },
	} {
		w := newWorld(t)
		g, subject := w.handing()
		w.clock.Advance(30 * time.Minute)
		middle := w.handOn("agent", subject).str("access_token")
		last := w.handOn("lab", middle, "scope", "patient/Observation.r").str("access_token")
		if !w.active(last) || !w.active(middle) {
			t.Fatalf("%s: not active before", name)
		}
		end(w, g, subject, middle)
		if w.active(last) {
			t.Errorf("%s: still active", name)
		}
		if name == "the person ended the agent" {
			if a := w.handOn("agent", subject); a.status != 400 || !strings.Contains(a.raw, "actor-ended") || !w.active(subject) {
				t.Errorf("%s: %d %s", name, a.status, a.raw)
			}
		}
	}
}

// RFC 8693 §4.1: the chain has an end.
func TestExchangeChainIsBounded(t *testing.T) {
	w := newWorld(t)
	_, token := w.handing()
	w.change("lab", func(c *oauth.Client) { c.MayAct = []string{"agent"} })
	w.change("agent", func(c *oauth.Client) { c.Scopes = "patient/*.rs" })
	for i := range oauth.MaxActors {
		a := w.handOn([]string{"agent", "lab"}[i%2], token)
		if token = a.str("access_token"); token == "" {
			t.Fatalf("%d: %d %s", i, a.status, a.raw)
		}
	}
	if a := w.handOn("lab", token); a.status != 400 || !strings.Contains(a.raw, "actor-chain-long") {
		t.Errorf("%d %s", a.status, a.raw)
	}
}

// SCP-21: scopes that consents took away since are not handed on.
func TestExchangeIsDecidedAnew(t *testing.T) {
	w := newWorld(t)
	_, subject := w.handing()
	w.narrowed = "patient/Observation.r"
	if a := w.handOn("agent", subject); a.body["scope"] != "patient/Observation.r" {
		t.Errorf("%d %s", a.status, a.raw)
	}
	w.denied = errs.New(errs.AccessDenied, "grant-no-longer-permitted", "Nothing is.")
	w.expect("nothing left", w.handOn("agent", subject), 400, "invalid_grant")
}
