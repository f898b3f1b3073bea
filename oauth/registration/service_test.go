package registration_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/registration"
)

// registry is a store in memory whose transactions roll back.
type registry struct {
	clients map[string]oauth.Client
	events  []audit.Event
	// deaf refuses audit events.
	deaf bool
	used map[string]bool
}

func (r *registry) UseAssertion(_ context.Context, tenant, issuer, jti string, _ time.Time) error {
	if r.used[tenant+issuer+jti] {
		return errs.New(errs.Conflict, "assertion-replayed", "No.")
	}
	r.used[tenant+issuer+jti] = true
	return nil
}

func (r *registry) ClientByID(_ context.Context, tenant, id string) (oauth.Client, error) {
	c, ok := r.clients[tenant+"/"+id]
	if !ok {
		return c, errs.New(errs.NotFound, "client-not-found", "There is none.")
	}
	return c, nil
}

func (r *registry) Clients(_ context.Context, tenant string) (out []oauth.Client, _ error) {
	for _, k := range slices.Sorted(maps.Keys(r.clients)) {
		if c := r.clients[k]; c.Tenant == tenant {
			out = append(out, c)
		}
	}
	return out, nil
}

func (r *registry) PutClient(_ context.Context, c oauth.Client) error {
	r.clients[c.Tenant+"/"+c.ID] = c
	return nil
}

func (r *registry) RenewSecret(_ context.Context, tenant, id, was, fresh string) (bool, error) {
	c := r.clients[tenant+"/"+id]
	won := c.Registration.TokenHash == was
	if won {
		c.Registration.TokenHash = fresh
		r.clients[tenant+"/"+id] = c
	}
	return won, nil
}

func (r *registry) AppendAudit(_ context.Context, e audit.Event) error {
	if r.deaf {
		return errs.New(errs.Unavailable, "audit-away", "No.")
	}
	r.events = append(r.events, e)
	return nil
}

func (r *registry) InTx(_ context.Context, fn func(registration.Tx) error) error {
	clients, events, used := maps.Clone(r.clients), slices.Clone(r.events), maps.Clone(r.used)
	err := fn(r)
	if err != nil {
		r.clients, r.events, r.used = clients, events, used
	}
	return err
}

// told gives the last event as "kind action reason client by".
func (r *registry) told() string {
	if len(r.events) == 0 {
		return ""
	}
	e := r.events[len(r.events)-1]
	return string(e.Kind) + " " + e.Action + " " + e.Reason + " " + e.ClientID + " " + e.PersonID
}

func noon() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

// still is a clock that a test moves.
type still struct{ at time.Time }

func (s *still) Now() time.Time { return s.at }

func newService() (*registration.Service, *registry, *still) {
	r := &registry{clients: map[string]oauth.Client{}, used: map[string]bool{}}
	c := &still{noon()}
	return &registration.Service{
		Read: r, Tx: r, Clock: c,
		Hasher: func(context.Context, string) (ids.Hasher, error) { return ids.Hasher{Key: []byte("k")}, nil },
	}, r, c
}

// REG-05: each act on the registry is recorded with who did it, and without the
// record there is no act.
func TestEveryActIsRecorded(t *testing.T) {
	ctx := t.Context()
	s, r, _ := newService()
	by := audit.Event{PersonID: "olga", Network: "192.0.2.7"}
	act := func(want string, do func() error) {
		t.Helper()
		before, events := maps.Clone(r.clients), len(r.events)
		r.deaf = true
		if err := do(); !errs.Is(err, errs.Unavailable) || !maps.EqualFunc(before, r.clients, func(a, b oauth.Client) bool {
			return a.Epoch == b.Epoch && a.Disabled == b.Disabled && a.Name == b.Name
		}) {
			t.Errorf("%s without a record: %v", want, err)
		}
		r.deaf = false
		if err := do(); err != nil || r.told() != want || len(r.events) != events+1 || r.events[events].Network != "192.0.2.7" {
			t.Errorf("%q, want %q (%v)", r.told(), want, err)
		}
	}
	c := oauth.Client{Tenant: "main", ID: "diary", Kind: oauth.ClientPublic, Name: "Diary", RedirectURIs: []string{"https://diary.example/cb"}}
	act("client.registered C  diary olga", func() error { _, err := s.Create(ctx, c, by); return err })
	act("client.changed U client-edited diary olga", func() error {
		_, err := s.Update(ctx, registration.Change{Tenant: "main", ID: "diary", Reason: registration.ReasonEdited, Origin: by, Apply: func(c *oauth.Client) error {
			c.Name = "Heart Diary"
			return nil
		}})
		return err
	})
	act("client.changed U client-disabled diary olga", func() error {
		_, err := s.Disable(ctx, "main", "diary", registration.ReasonDisabled, by)
		return err
	})
	if c := r.clients["main/diary"]; !c.Disabled || c.Epoch != 1 {
		t.Errorf("tokens of a disabled client live: %+v", c)
	}
	act("client.changed U client-enabled diary olga", func() error { _, err := s.Enable(ctx, "main", "diary", by); return err })
	if c := r.clients["main/diary"]; c.Disabled || c.Epoch != 1 || c.Registration.Why != "" {
		t.Errorf("%+v", c)
	}
	act("client.changed D client-deleted diary olga", func() error { return s.Delete(ctx, "main", "diary", registration.ReasonDeleted, by) })
}

// A deleted client keeps its name for the past, loses all else, and its id is
// not given again, by nobody and no file.
func TestDeletedStaysDeleted(t *testing.T) {
	ctx := t.Context()
	s, r, _ := newService()
	c := oauth.Client{Tenant: "main", ID: "diary", Kind: oauth.ClientSymmetric, Name: "Diary", SecretHashes: []string{"h"}, RedirectURIs: []string{"https://diary.example/cb"}, Scopes: "openid"}
	if _, err := s.Create(ctx, c, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, "main", "diary", registration.ReasonDeleted, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	left := r.clients["main/diary"]
	if left.Name != "Diary" || !left.Disabled || !left.Deleted.Equal(noon()) || left.Epoch != 1 || left.SecretHashes != nil || left.RedirectURIs != nil || left.Scopes != "" {
		t.Errorf("%+v", left)
	}
	if _, err := s.One(ctx, "main", "diary"); !errs.Is(err, errs.NotFound) {
		t.Error(err)
	}
	if list, err := s.List(ctx, "main"); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
	if _, err := s.Enable(ctx, "main", "diary", audit.Event{}); !errs.Is(err, errs.NotFound) {
		t.Error(err)
	}
	if _, err := s.Create(ctx, c, audit.Event{}); !errs.Is(err, errs.Conflict) {
		t.Error(err)
	}
	filed := []registration.Filed{{Client: c}, {Client: oauth.Client{Tenant: "main", ID: "other"}}}
	if _, err := s.File(ctx, filed, true, audit.Event{}); !errs.Is(err, errs.Conflict) {
		t.Error(err)
	}
	if out, err := s.File(ctx, filed, false, audit.Event{}); err != nil || !slices.Equal(out, []string{"diary"}) {
		t.Errorf("%v %v", out, err)
	}
	if c := r.clients["main/diary"]; !c.Disabled || c.Deleted.IsZero() || r.clients["main/other"].ID == "" {
		t.Errorf("%+v", r.clients)
	}
}

// peers.md row "SMART × FAPI 2 in one client ratchet": what is asked of a client
// for its security is tightened by anybody who may change it, and loosened by an
// operator who says so.
func TestSecurityIsRatcheted(t *testing.T) {
	ctx := t.Context()
	s, r, _ := newService()
	tight := oauth.Client{Tenant: "main", ID: "diary", Kind: oauth.ClientPublic, RequirePushed: true, RequireSigned: true, RequestObjectAlg: "ES256"}
	loose := oauth.Client{Tenant: "main", ID: "diary", Kind: oauth.ClientPublic}
	asks := func() bool {
		c := r.clients["main/diary"]
		return c.RequirePushed && c.RequireSigned && c.RequestObjectAlg == "ES256"
	}
	file := func(c oauth.Client, asked, loosen bool) error {
		_, err := s.File(ctx, []registration.Filed{{Client: c, Loosen: loosen}}, asked, audit.Event{})
		return err
	}
	if err := file(loose, true, false); err != nil {
		t.Fatal(err)
	}
	if err := file(tight, false, false); err != nil || !asks() {
		t.Fatal("a file cannot tighten", err)
	}
	if err := file(loose, false, false); err != nil || !asks() {
		t.Error("a start loosened", err)
	}
	if _, err := s.Update(ctx, registration.Change{Tenant: "main", ID: "diary", Apply: func(c *oauth.Client) error {
		c.RequirePushed, c.RequireSigned, c.RequestObjectAlg = false, false, ""
		return nil
	}}); err != nil || !asks() {
		t.Error("a change loosened", err)
	}
	if err := file(loose, true, false); errs.As(err) == nil || errs.As(err).Code != "client-loosened" || !asks() {
		t.Error("a command loosened unasked", err)
	}
	if err := file(loose, true, true); err != nil || asks() {
		t.Error("an operator cannot loosen", err)
	}
	if err := file(tight, true, false); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, "main", "diary", registration.ReasonDeleted, audit.Event{}); err != nil || r.clients["main/diary"].Deleted.IsZero() {
		t.Error("a ratcheted client cannot be deleted", err)
	}
}

// The same for tokens that are bound, for nonces and for a profile: one way to
// bind them may take the place of the other, and a bearer token neither.
func TestBoundTokensAreRatcheted(t *testing.T) {
	s, r, _ := newService()
	have := func() oauth.Client { return r.clients["main/diary"] }
	change := func(apply func(c *oauth.Client)) error {
		_, err := s.Update(t.Context(), registration.Change{Tenant: "main", ID: "diary", Apply: func(c *oauth.Client) error {
			apply(c)
			return nil
		}})
		return err
	}
	first := oauth.Client{Tenant: "main", ID: "diary", Kind: oauth.ClientAsymmetric, JWKSURI: "https://app.example/jwks", DPoPBound: true, DPoPNonce: true}
	if _, err := s.File(t.Context(), []registration.Filed{{Client: first}}, true, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	if err := change(func(c *oauth.Client) { c.DPoPBound, c.DPoPNonce = false, false }); err != nil || !have().DPoPBound || !have().DPoPNonce {
		t.Errorf("a change made it a bearer: %v %+v", err, have())
	}
	if err := change(func(c *oauth.Client) { c.DPoPBound, c.CertificateBound = false, true }); err != nil || have().DPoPBound || !have().CertificateBound {
		t.Errorf("a certificate cannot take the place of a key: %v", err)
	}
	if err := change(func(c *oauth.Client) { c.CertificateBound = false }); err != nil || !have().CertificateBound {
		t.Errorf("a change made it a bearer: %v", err)
	}
	out, err := s.Hold(t.Context(), "main", "diary", oauth.ProfileFAPI2, audit.Event{})
	if err != nil || !out.RequirePushed || out.IDTokenAlg != "ES256" || !have().FAPI2() {
		t.Fatalf("%v %+v", err, out)
	}
	if err := change(func(c *oauth.Client) { c.SecurityProfile, c.RequirePushed, c.IDTokenAlg = "", false, "" }); err != nil || !have().FAPI2() || !have().RequirePushed || have().IDTokenAlg != "ES256" {
		t.Errorf("a change left the profile: %v %+v", err, have())
	}
	for name, bend := range map[string]func(c *oauth.Client){
		"a secret":             func(c *oauth.Client) { c.Kind = oauth.ClientSymmetric },
		"RS256":                func(c *oauth.Client) { c.IDTokenAlg = "RS256" },
		"an assertion's RS384": func(c *oauth.Client) { c.AuthAlg = "RS384" },
		"a device":             func(c *oauth.Client) { c.DeviceFlow = true },
	} {
		if err := change(bend); !errs.Is(err, errs.InvalidClientMetadata) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Hold(t.Context(), "main", "diary", "fapi9", audit.Event{}); !errs.Is(err, errs.InvalidClientMetadata) {
		t.Errorf("a profile that nobody knows: %v", err)
	}
}
