package oauth_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// shelf keeps grants; methods that ending does not reach are missing on
// purpose.
type shelf struct {
	oauth.Tx
	grants    map[string]oauth.Grant
	events    []audit.Event
	withdrawn []string
	fails     string
}

var errStore = errs.New(errs.Unavailable, "down", "The store does not answer.")

func (s *shelf) InTx(_ context.Context, fn func(oauth.Tx) error) error {
	grants, events, withdrawn := map[string]oauth.Grant{}, s.events, s.withdrawn
	for id, g := range s.grants {
		grants[id] = g
	}
	err := fn(s)
	if err != nil {
		s.grants, s.events, s.withdrawn = grants, events, withdrawn
	}
	return err
}

func (s *shelf) fail(statement string) error {
	if s.fails == statement {
		return errStore
	}
	return nil
}

func (s *shelf) list(keep func(oauth.Grant) bool) []oauth.Grant {
	var out []oauth.Grant
	for _, g := range s.grants {
		if keep(g) {
			out = append(out, g)
		}
	}
	return out
}

func (s *shelf) GrantsOfPerson(_ context.Context, _, person string) ([]oauth.Grant, error) {
	return s.list(func(g oauth.Grant) bool { return g.PersonID == person }), s.fail("person")
}

func (s *shelf) GrantsOfPatient(_ context.Context, _, patient string) ([]oauth.Grant, error) {
	return s.list(func(g oauth.Grant) bool { return g.Record() == patient }), s.fail("patient")
}

func (s *shelf) GrantByID(_ context.Context, _, id string) (oauth.Grant, error) {
	if g, ok := s.grants[id]; ok {
		return g, nil
	}
	return oauth.Grant{}, errs.New(errs.NotFound, "grant-not-found", "There is none.")
}

func (s *shelf) RevokeGrant(_ context.Context, _, id, reason string, t time.Time) (bool, error) {
	g := s.grants[id]
	if !g.Revoked.IsZero() {
		return false, nil
	}
	g.Revoked, g.Reason = t, reason
	s.grants[id] = g
	return true, s.fail("revoke")
}

func (s *shelf) WithdrawTx(_ context.Context, _ consent.Tx, _, id string, _ audit.Event) (consent.Record, error) {
	s.withdrawn = append(slices.Clone(s.withdrawn), id)
	return consent.Record{}, s.fail("withdraw")
}

func (s *shelf) AppendAudit(_ context.Context, e audit.Event) error {
	s.events = append(slices.Clone(s.events), e)
	return s.fail("audit")
}

func person(id, resource string, verified bool) identity.Person {
	ref, _ := fhir.ParseReference(resource)
	return identity.Person{Tenant: "t", ID: id, Identities: []identity.Identity{{Resource: ref, Patient: ref.ID, Verified: verified}}}
}

// connections holds a grant of rosa's, one of elena's on rosa's record, one of
// elena's on her own, and a clinician's over many records.
func connections() (*oauth.Connections, *shelf) {
	self := func(id string) fhir.Capacity {
		return fhir.Capacity{Kind: fhir.CapacitySelf, Acting: fhir.Reference{Type: "Patient", ID: id}, Patient: id}
	}
	proxy := fhir.Capacity{Kind: fhir.CapacityDesignatedProxy, Acting: fhir.Reference{Type: "RelatedPerson", ID: "re"}, Patient: "rosa"}
	s := &shelf{grants: map[string]oauth.Grant{
		"own":   {Tenant: "t", ID: "own", PersonID: "p-rosa", ClientID: "diary", Capacity: self("rosa"), Context: oauth.Context{Patient: "rosa"}, ConsentID: "c-own", Created: now.Add(-3 * time.Hour)},
		"proxy": {Tenant: "t", ID: "proxy", PersonID: "p-elena", Capacity: proxy, Context: oauth.Context{Patient: "rosa"}, ConsentID: "c-proxy", ConsentVersion: 1, Consents: []string{"Consent/e1/_history/1"}, Created: now.Add(-2 * time.Hour)},
		"elena": {Tenant: "t", ID: "elena", PersonID: "p-elena", Capacity: self("elena"), ConsentID: "c-elena", Created: now.Add(-time.Hour)},
		"many":  {Tenant: "t", ID: "many", PersonID: "p-hale", Capacity: fhir.Capacity{Kind: fhir.CapacityPractitioner}, Created: now},
	}}
	return &oauth.Connections{Read: s, Tx: s, Consents: s, Clock: clock.Fixed(now)}, s
}

// SC-20: people see the grants they made and those on their own record, newest
// first; a link that was never proofed shows nothing.
func TestConnectionsOf(t *testing.T) {
	c, s := connections()
	for _, test := range []struct {
		who  identity.Person
		want []string
	}{
		{person("p-rosa", "Patient/rosa", true), []string{"proxy", "own"}},
		{person("p-elena", "RelatedPerson/re", true), []string{"elena", "proxy"}},
		{person("p-hale", "Practitioner/hale", true), []string{"many"}},
		{person("p-thief", "Patient/rosa", false), nil},
		{person("p-noah", "Patient/noah", true), nil},
	} {
		list, err := c.Of(t.Context(), test.who)
		var got []string
		for _, g := range list {
			got = append(got, g.ID)
		}
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v %v", test.who.ID, got, err)
		}
		for id := range s.grants {
			_, err := c.One(t.Context(), test.who, id)
			if seen := slices.Contains(test.want, id); seen != (err == nil) || !seen && !errs.Is(err, errs.NotFound) {
				t.Errorf("%s and %s: %v", test.who.ID, id, err)
			}
		}
	}
	for _, statement := range []string{"person", "patient"} {
		s.fails = statement
		if _, err := c.Of(t.Context(), person("p-rosa", "Patient/rosa", true)); !errs.Is(err, errs.Unavailable) {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// REV-03, D8: the grant, its Consent and the event end together, once.
func TestConnectionsEnd(t *testing.T) {
	c, s := connections()
	rosa := person("p-rosa", "Patient/rosa", true)
	for _, statement := range []string{"revoke", "withdraw", "audit"} {
		s.fails = statement
		if err := c.End(t.Context(), rosa, "proxy", audit.Event{}); !errs.Is(err, errs.Unavailable) {
			t.Errorf("%s: %v", statement, err)
		}
		if !s.grants["proxy"].Revoked.IsZero() || len(s.withdrawn)+len(s.events) != 0 {
			t.Errorf("%s left %+v", statement, s.grants["proxy"])
		}
	}
	s.fails = ""
	for range 2 {
		if err := c.End(t.Context(), rosa, "proxy", audit.Event{Network: "192.0.2.1"}); err != nil {
			t.Fatal(err)
		}
	}
	g := s.grants["proxy"]
	if !g.Revoked.Equal(now) || g.Reason != "ended-by-person" || !slices.Equal(s.withdrawn, []string{"c-proxy"}) || len(s.events) != 1 {
		t.Errorf("%+v, withdrawn %v, %d events", g, s.withdrawn, len(s.events))
	}
	e := s.events[0]
	if e.Kind != audit.GrantRevoked || e.PersonID != "p-rosa" || e.Patient != "rosa" || e.GrantID != "proxy" || !slices.Equal(e.Consents, []string{"Consent/e1/_history/1", "Consent/c-proxy/_history/1"}) || e.Network != "192.0.2.1" {
		t.Errorf("%+v", e)
	}
	if err := c.End(t.Context(), rosa, "elena", audit.Event{}); !errs.Is(err, errs.NotFound) || !s.grants["elena"].Revoked.IsZero() {
		t.Errorf("somebody else's: %v", err)
	}
	// A grant over many records has no Consent to withdraw.
	if err := c.End(t.Context(), person("p-hale", "Practitioner/hale", true), "many", audit.Event{}); err != nil || len(s.withdrawn) != 1 {
		t.Errorf("%v, withdrawn %v", err, s.withdrawn)
	}
}
