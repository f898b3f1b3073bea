package flow_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flow"
)

func (w *world) CreatePushed(_ context.Context, p oauth.Pushed) error {
	w.pushed[p.Hash] = p
	return w.fail("pushed")
}

func (w *world) PushedByHash(_ context.Context, _, hash string) (oauth.Pushed, error) {
	if p, ok := w.pushed[hash]; ok {
		return p, w.fail("read-pushed")
	}
	return oauth.Pushed{}, errs.New(errs.NotFound, "pushed", "There is none.")
}

func (w *world) UsePushed(_ context.Context, _, hash string, at time.Time) (bool, error) {
	p := w.pushed[hash]
	if !p.Used.IsZero() || w.stolen {
		return false, nil
	}
	p.Used = at
	w.pushed[hash] = p
	return true, w.fail("use-pushed")
}

func (w *world) UseAssertion(_ context.Context, _, issuer, jti string, _ time.Time) error {
	if w.spent[issuer+jti] {
		return errs.New(errs.Conflict, "assertion-replayed", "Used.")
	}
	w.spent[issuer+jti] = true
	return nil
}

// push pushes a request of the diary.
func (w *world) push(changes ...string) (flow.PushTicket, error) {
	return w.service.Push(w.t.Context(), flow.PushRequest{Tenant: tenant, Client: w.clients["diary"], Form: request(changes...)})
}

// short is what the browser brings for a ticket.
func short(client string, t flow.PushTicket) url.Values {
	return url.Values{"client_id": {client}, "request_uri": {t.RequestURI}}
}

// RFC 9126: the browser brings a request_uri, once, within its life, for the
// client that it was given to; anything else ends on a page (SMART AZ-05).
func TestPushedRequest(t *testing.T) {
	w := newWorld(t)
	ticket, err := w.push("state", "s-1")
	if err != nil {
		t.Fatal(err)
	}
	if ticket.Life != flow.PushLife || w.events[0].Kind != audit.AuthorizePushed || len(w.pushed) != 1 {
		t.Fatal(ticket, w.events)
	}
	for hash := range w.pushed {
		if strings.Contains(ticket.RequestURI, hash) {
			t.Error("the request_uri is stored as it is")
		}
	}
	page := func(v url.Values, code string) {
		t.Helper()
		_, err := w.service.Start(t.Context(), tenant, v, w.rosa())
		if r := refusal(t, err, code); r.RedirectURI != "" {
			t.Errorf("%s leads to %s", code, r.RedirectURI)
		}
	}
	page(short("lens", ticket), "request-uri-unknown")
	page(url.Values{"client_id": {"diary"}, "request_uri": {flow.PushedPrefix + "guess"}}, "request-uri-unknown")
	page(url.Values{"request_uri": {ticket.RequestURI}}, "parameter-missing-or-repeated")
	w.clock.now = start.Add(flow.PushLife)
	page(short("diary", ticket), "request-uri-expired")
	w.clock.now = start.Add(flow.PushLife - time.Second)
	w.stolen = true
	page(short("diary", ticket), "request-uri-used")
	w.stolen = false
	bent := short("diary", ticket)
	bent.Set("state", "other")
	bent.Set("redirect_uri", "https://evil.example/")
	p, err := w.service.Start(t.Context(), tenant, bent, w.rosa())
	if err != nil || p.Request.State != "s-1" || p.Request.RedirectURI != callback {
		t.Fatal(p, err)
	}
	page(short("diary", ticket), "request-uri-used")
}

// RFC 9126 §2.1: what would be refused at the authorization endpoint is refused
// when it is pushed, with an event, and nothing is kept.
func TestPushIsJudged(t *testing.T) {
	for code, changes := range map[string][]string{
		"aud-unknown":               {"aud", "https://evil.example/fhir"},
		"redirect-uri-unregistered": {"redirect_uri", callback + "/x"},
		"client-id-mismatch":        {"client_id", "lens"},
		"request-uri-pushed":        {"request_uri", flow.PushedPrefix + "x"},
		"launch-invalid":            {"launch", "x", "scope", "launch"},
		"state-missing":             {"state", ""},
	} {
		w := newWorld(t)
		_, err := w.push(changes...)
		if errs.As(err) == nil || errs.As(err).Code != code || len(w.pushed) != 0 {
			t.Errorf("%s: %v, %d kept", code, err, len(w.pushed))
		}
		if e := w.events[len(w.events)-1]; e.Kind != audit.AuthorizeRefused || e.Reason != code || e.ClientID != "diary" {
			t.Errorf("%s: event %+v", code, e)
		}
	}
}

// SMART ASY-10: an assertion is used up by the request that it came with, good
// or bad; a client that authenticates need not name itself.
func TestPushSpendsTheAssertion(t *testing.T) {
	w := newWorld(t)
	push := func(jti string, changes ...string) error {
		_, err := w.service.Push(t.Context(), flow.PushRequest{
			Tenant: tenant, Client: w.clients["diary"], Form: request(append(changes, "client_id", "")...),
			Proofs: []flow.Proof{{Issuer: "diary", JTI: jti, Expires: start.Add(time.Minute), Used: errs.New(errs.InvalidClient, "assertion-replayed", "Used.")}},
		})
		return err
	}
	if err := push("1"); err != nil {
		t.Fatal(err)
	}
	if err := push("2", "aud", "https://evil.example/"); !errs.Is(err, errs.InvalidRequest) {
		t.Fatal(err)
	}
	for _, jti := range []string{"1", "2"} {
		if err := push(jti); !errs.Is(err, errs.InvalidClient) {
			t.Errorf("assertion %s served twice: %v", jti, err)
		}
		if err := push(jti, "aud", "https://evil.example/"); !errs.Is(err, errs.InvalidClient) {
			t.Errorf("assertion %s served twice for a bad request: %v", jti, err)
		}
	}
}

// RFC 9126 §6: a client, or every client, may have to push.
func TestPushingIsRequired(t *testing.T) {
	for _, server := range []bool{false, true} {
		w := newWorld(t)
		w.service.RequirePushed = server
		if c := w.clients["diary"]; !server {
			c.RequirePushed = true
			w.clients["diary"] = c
		}
		_, err := w.service.Start(t.Context(), tenant, request(), w.rosa())
		if r := refusal(t, err, "request-not-pushed"); r.RedirectURI != callback {
			t.Error("the app is not told")
		}
		ticket, err := w.push()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.service.Start(t.Context(), tenant, short("diary", ticket), w.rosa()); err != nil {
			t.Error(err)
		}
	}
}

// A store that is down is no refusal, and leaves the request_uri unused.
func TestPushWhileTheStoreIsDown(t *testing.T) {
	w := newWorld(t)
	for _, statement := range []string{"pushed", "audit"} {
		w.fails = statement
		if _, err := w.push(); !errs.Is(err, errs.Unavailable) || len(w.pushed) != 0 {
			t.Errorf("%s: %v", statement, err)
		}
	}
	w.fails = ""
	ticket, err := w.push()
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"read-pushed", "use-pushed", "pending"} {
		w.fails = statement
		if _, err := w.service.Start(t.Context(), tenant, short("diary", ticket), w.rosa()); !errs.Is(err, errs.Unavailable) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	w.fails = ""
	if _, err := w.service.Start(t.Context(), tenant, short("diary", ticket), w.rosa()); err != nil {
		t.Error(err)
	}
}

// objects opens a request object that stands for itself: "app?query".
type objects struct{}

func (objects) RequestObject(_ context.Context, c oauth.Client, raw, issuer string) (url.Values, error) {
	id, query, _ := strings.Cut(raw, "?")
	if id != c.ID || issuer != issuerURL {
		return nil, errs.New(errs.InvalidRequestObject, "request-object-signature", "Forged.")
	}
	return url.ParseQuery(query)
}

// RFC 9101 §6.3: of a signed request only its own parameters count, an unread
// one ends on a page, and a client may have to sign.
func TestSignedRequest(t *testing.T) {
	w := newWorld(t)
	w.service.Objects = objects{}
	c := w.clients["diary"]
	c.RequireSigned = true
	w.clients["diary"] = c
	_, err := w.service.Start(t.Context(), tenant, request(), w.rosa())
	if r := refusal(t, err, "request-object-missing"); r.RedirectURI != callback {
		t.Error("the app is not told")
	}
	good := url.Values{"client_id": {"diary"}, "request": {"diary?" + request("state", "inside").Encode()}, "state": {"outside"}}
	p, err := w.service.Start(t.Context(), tenant, good, w.rosa())
	if err != nil || p.Request.State != "inside" {
		t.Fatal(p, err)
	}
	for code, v := range map[string]url.Values{
		"request-object-signature":      {"client_id": {"diary"}, "request": {"lens?"}, "redirect_uri": {callback}},
		"request-object-repeated":       {"client_id": {"diary"}, "request": {"diary?", "diary?"}},
		"parameter-missing-or-repeated": {"request": {"diary?"}},
		"client-unknown":                {"client_id": {"nobody"}, "request": {"nobody?"}},
		"request-uri-foreign":           {"client_id": {"diary"}, "request_uri": {"https://evil.example/r"}},
		"redirect-uri-unregistered":     {"client_id": {"diary"}, "request": {"diary?" + request("redirect_uri", "https://evil.example/").Encode()}, "redirect_uri": {callback}},
	} {
		_, err := w.service.Start(t.Context(), tenant, v, w.rosa())
		if r := refusal(t, err, code); r.RedirectURI != "" {
			t.Errorf("%s leads to %s", code, r.RedirectURI)
		}
	}
	_, err = w.service.Push(t.Context(), flow.PushRequest{Tenant: tenant, Client: c, Form: good})
	if err != nil || len(w.pushed) != 1 {
		t.Error(err)
	}
}
