package storetest

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

func app() oauth.Client {
	return oauth.Client{Tenant: tenant, ID: "app", Kind: oauth.ClientAsymmetric, Name: "App <&>", Publisher: "Maker",
		Verified: noon(), SecretHashes: []string{"x"}, JWKS: json.RawMessage(`{"keys":[]}`),
		RedirectURIs: []string{"https://app.example/cb?a=b&c=d"}, Scopes: "openid patient/*.rs", Introspect: true,
		RequiredScopes: map[string]string{"openid": "to know you"}, Epoch: 3, Created: noon()}
}

func clients(t *testing.T, s *store.Store) {
	ctx := t.Context()
	_, err := s.ClientByID(ctx, tenant, "app")
	fails(t, err, errs.NotFound)
	must(t, s.PutClient(ctx, app()))
	must(t, s.PutClient(ctx, oauth.Client{Tenant: tenant, ID: "aa"}))
	equal(t, got(s.ClientByID(ctx, tenant, "app"))(t), app())
	equal(t, got(s.Clients(ctx, tenant))(t), []oauth.Client{{Tenant: tenant, ID: "aa"}, app()})
	equal(t, len(got(s.Clients(ctx, other))(t)), 0)

	// An old copy changes the fields but never turns the epoch back.
	stale := app()
	stale.Disabled, stale.Epoch = true, 1
	must(t, s.PutClient(ctx, stale))
	stale.Epoch = 3
	equal(t, got(s.ClientByID(ctx, tenant, "app"))(t), stale)

	// SE-03: a secret takes a newer form once, and nothing else changes.
	equal(t, got(s.RenewSecret(ctx, tenant, "app", "x", "k2~y"))(t), true)
	equal(t, got(s.RenewSecret(ctx, tenant, "app", "x", "k2~y"))(t), false)
	equal(t, got(s.RenewSecret(ctx, other, "app", "k2~y", "z"))(t), false)
	stale.SecretHashes = []string{"k2~y"}
	equal(t, got(s.ClientByID(ctx, tenant, "app"))(t), stale)
}

func launch() oauth.Launch {
	banner := false
	return oauth.Launch{Tenant: tenant, Hash: "l1", EHRClient: "ehr", ClientID: "app",
		User: fhir.Reference{Type: "Practitioner", ID: "dr"}, Aud: "https://fhir.example",
		Context: oauth.Context{Patient: "rosa", Encounter: "e1", NeedPatientBanner: &banner,
			FHIRContext: []oauth.ContextRef{{Reference: "ImagingStudy/1", Identifier: json.RawMessage(`{"value":"x"}`)}}},
		Created: noon(), Expires: noon().Add(time.Minute)}
}

func launches(t *testing.T, s *store.Store) {
	ctx := t.Context()
	_, err := s.LaunchByHash(ctx, tenant, "l1")
	fails(t, err, errs.NotFound)
	equal(t, got(s.UseLaunch(ctx, tenant, "l1", "flow", noon()))(t), false)
	must(t, s.CreateLaunch(ctx, launch()))
	fails(t, s.CreateLaunch(ctx, launch()), errs.Conflict)
	equal(t, got(s.LaunchByHash(ctx, tenant, "l1"))(t), launch())
	// SMART LAU-02: single use.
	equal(t, got(s.UseLaunch(ctx, tenant, "l1", "flow", noon()))(t), true)
	equal(t, got(s.UseLaunch(ctx, tenant, "l1", "thief", noon()))(t), false)
	used := launch()
	used.Used, used.Flow = noon(), "flow"
	equal(t, got(s.LaunchByHash(ctx, tenant, "l1"))(t), used)

	later := launch()
	later.Hash, later.Created, later.Expires = "l2", later.Created.Add(time.Second), later.Expires.Add(time.Second)
	must(t, s.CreateLaunch(ctx, later))
	equal(t, got(s.LaunchesUnder(ctx, tenant, noon(), 9))(t), []oauth.Launch{later, used})
	equal(t, got(s.LaunchesUnder(ctx, tenant, noon(), 1))(t), []oauth.Launch{later})
	equal(t, got(s.LaunchesUnder(ctx, tenant, used.Expires, 9))(t), []oauth.Launch{later})
	equal(t, len(got(s.LaunchesUnder(ctx, "other", noon(), 9))(t)), 0)
}

func grant(id string, created time.Time) oauth.Grant {
	return oauth.Grant{Tenant: tenant, ID: id, PersonID: "p-maria", ClientID: "app",
		Capacity: fhir.Capacity{Kind: fhir.CapacityDesignatedProxy, Acting: fhir.Reference{Type: "RelatedPerson", ID: "maria"},
			Patient: "rosa", Purpose: "FAMRQT", Relationship: "DAU"},
		Context: oauth.Context{Patient: "rosa"}, Scopes: "patient/Observation.rs?category=a|b", Topics: []string{"HIV"},
		ConsentID: "c9", ConsentVersion: 2, Consents: []string{"Consent/c1/_history/1"}, Offline: true, Online: true,
		SessionHash: "h1", AuthTime: noon(), AMR: []string{"pwd"}, ACR: "a", Created: created,
		Ends: created.Add(time.Hour), RenewFor: 90 * 24 * time.Hour}
}

// grantsOfClient pages through the grants of one client: all, and those that
// stand.
func grantsOfClient(t *testing.T, s *store.Store, second, first oauth.Grant) {
	t.Helper()
	ctx := t.Context()
	third := grant("g0", first.Created) // the same moment as the first
	third.Revoked, third.Reason = noon().Add(time.Minute), "person"
	must(t, s.CreateGrant(ctx, third))
	equal(t, got(s.GrantsOfClient(ctx, tenant, "app", oauth.GrantPage{Limit: 9}))(t), []oauth.Grant{second, first, third})
	equal(t, got(s.GrantsOfClient(ctx, tenant, "app", oauth.GrantPage{Limit: 2}))(t), []oauth.Grant{second, first})
	equal(t, got(s.GrantsOfClient(ctx, tenant, "app", oauth.GrantPage{Limit: 2, Before: first.Created, BeforeID: first.ID}))(t), []oauth.Grant{third})
	equal(t, got(s.GrantsOfClient(ctx, tenant, "app", oauth.GrantPage{Limit: 9, LiveAt: noon().Add(time.Minute)}))(t), []oauth.Grant{second, first})
	equal(t, got(s.GrantsOfClient(ctx, tenant, "app", oauth.GrantPage{Limit: 9, LiveAt: first.Ends}))(t), []oauth.Grant{second})
	equal(t, len(got(s.GrantsOfClient(ctx, tenant, "none", oauth.GrantPage{Limit: 9}))(t)), 0)
	equal(t, len(got(s.GrantsOfClient(ctx, "other", "app", oauth.GrantPage{Limit: 9}))(t)), 0)
}

func grants(t *testing.T, s *store.Store) {
	ctx := t.Context()
	_, err := s.GrantByID(ctx, tenant, "g1")
	fails(t, err, errs.NotFound)
	first, second := grant("g1", noon()), grant("g2", noon().Add(time.Second))
	// A clinician's capacity is not bound to a patient; the context is.
	second.PersonID, second.Capacity = "p-dr", fhir.Capacity{Kind: fhir.CapacityPractitioner}
	system := oauth.Grant{Tenant: tenant, ID: "g3", ClientID: "back", Created: noon(), Ends: noon()}
	for _, g := range []oauth.Grant{first, second, system} {
		must(t, s.CreateGrant(ctx, g))
	}
	fails(t, s.CreateGrant(ctx, first), errs.Conflict)
	equal(t, got(s.GrantByID(ctx, tenant, "g1"))(t), first)
	equal(t, got(s.GrantByID(ctx, tenant, "g3"))(t), system)
	equal(t, got(s.GrantsOfPerson(ctx, tenant, "p-maria"))(t), []oauth.Grant{first})
	equal(t, got(s.GrantsOfPatient(ctx, tenant, "rosa"))(t), []oauth.Grant{second, first})
	equal(t, len(got(s.GrantsOfPerson(ctx, tenant, ""))(t)), 0)
	equal(t, len(got(s.GrantsOfPatient(ctx, tenant, ""))(t)), 0)

	// SMART BP-01: whoever lets an app keep access since before a time.
	later := noon().Add(time.Minute)
	equal(t, got(s.Keepers(ctx, tenant, "", later, later, 9))(t), []string{"p-dr", "p-maria"})
	equal(t, got(s.Keepers(ctx, tenant, "p-dr", later, later, 9))(t), []string{"p-maria"})
	equal(t, got(s.Keepers(ctx, tenant, "", later, later, 1))(t), []string{"p-dr"})
	equal(t, got(s.Keepers(ctx, tenant, "", noon().Add(time.Millisecond), later, 9))(t), []string{"p-maria"})
	equal(t, len(got(s.Keepers(ctx, tenant, "", later, noon().Add(2*time.Hour), 9))(t)), 0)
	equal(t, len(got(s.Keepers(ctx, other, "", later, later, 9))(t)), 0)
	grantsOfClient(t, s, second, first)

	first.Ends = noon().Add(48 * time.Hour)
	must(t, s.ExtendGrant(ctx, tenant, "g1", first.Ends))
	first.Revoked, first.Reason = noon().Add(time.Minute), "person"
	equal(t, got(s.RevokeGrant(ctx, tenant, "g1", "person", first.Revoked))(t), true)
	equal(t, got(s.RevokeGrant(ctx, tenant, "g1", "again", noon()))(t), false)
	equal(t, got(s.Keepers(ctx, tenant, "", later, later, 9))(t), []string{"p-dr"})
	equal(t, got(s.RevokeGrant(ctx, tenant, "none", "x", noon()))(t), false)
	fails(t, s.ExtendGrant(ctx, tenant, "g1", noon().Add(99*time.Hour)), errs.NotFound)
	equal(t, got(s.GrantByID(ctx, tenant, "g1"))(t), first)
}

func code() oauth.Code {
	return oauth.Code{Tenant: tenant, Hash: "c1", GrantID: "g1", ClientID: "app", RedirectURI: "https://app.example/cb",
		Challenge: "ch", Nonce: "n", Confirmation: oauth.Confirmation{JKT: "key"}, Issued: noon(), Expires: noon().Add(time.Minute)}
}

func codes(t *testing.T, s *store.Store) {
	ctx := t.Context()
	_, err := s.CodeByHash(ctx, tenant, "c1")
	fails(t, err, errs.NotFound)
	equal(t, got(s.UseCode(ctx, oauth.Code{Tenant: tenant, Hash: "c1"}, noon()))(t), false)
	must(t, s.CreateCode(ctx, code()))
	fails(t, s.CreateCode(ctx, code()), errs.Conflict)
	equal(t, got(s.CodeByHash(ctx, tenant, "c1"))(t), code())
	equal(t, got(s.UseCode(ctx, oauth.Code{Tenant: other, Hash: "c1"}, noon()))(t), false)
	equal(t, got(s.UseCode(ctx, oauth.Code{Tenant: tenant, Hash: "c1"}, noon()))(t), true)
	equal(t, got(s.UseCode(ctx, oauth.Code{Tenant: tenant, Hash: "c1"}, noon()))(t), false)
	equal(t, got(s.CodeByHash(ctx, tenant, "c1"))(t).Used, noon())
}

func refresh() oauth.RefreshToken {
	return oauth.RefreshToken{Tenant: tenant, Hash: "r1", GrantID: "g1", ClientID: "app", Issued: noon(),
		Expires: noon().Add(time.Hour), Confirmation: oauth.Confirmation{JKT: "key"}}
}

// follows puts the token with one hash in the place of another, of the grant g1.
func follows(from, to string, at time.Time) oauth.Rotation {
	return oauth.Rotation{Tenant: tenant, GrantID: "g1", ClientID: "app", From: from, To: to, Named: true, At: at, Expires: noon().Add(time.Hour),
		Confirmation: oauth.Confirmation{JKT: "key"}}
}

// begin gives the grant g1 its first refresh token.
func begin(ctx context.Context, tx oauth.TokenStore) error {
	return rotate(ctx, tx, follows("", "r1", noon()))
}

// rotate is RotateRefresh by one who is the first.
func rotate(ctx context.Context, tx oauth.TokenStore, r oauth.Rotation) error {
	first, err := tx.RotateRefresh(ctx, r)
	if err == nil && !first {
		err = errs.New(errs.Conflict, "refresh-moved", "Another was first.")
	}
	return err
}

// refreshRef is how a token that names the grant g1 is asked for.
func refreshRef(hash string) oauth.RefreshRef { return oauth.RefreshRef{Hash: hash, GrantID: "g1"} }

// SMART REF-08, REF-09: the newest token of a grant, the one before it and older
// ones are told apart, whichever form they were given out in.
func refreshTokens(t *testing.T, s *store.Store) {
	ctx, at := t.Context(), noon().Add(time.Minute)
	must(t, s.CreateGrant(ctx, grant("g1", noon())))
	for _, named := range []bool{true, false} {
		_, _, err := s.RefreshStanding(ctx, tenant, refreshRef("r1"))
		fails(t, err, errs.NotFound)
		move := func(from, to string, at time.Time) bool {
			t.Helper()
			r := follows(from, to, at)
			r.Named = named
			return got(s.RotateRefresh(ctx, r))(t)
		}
		state := func(hash string) oauth.RefreshToken {
			t.Helper()
			ref := refreshRef(hash)
			if !named {
				ref.GrantID = ""
			}
			v, st, err := s.RefreshStanding(ctx, tenant, ref)
			must(t, err)
			equal(t, st.Grant, grant("g1", noon()))
			return v
		}
		equal(t, move("", "r1", noon()), true)
		equal(t, state("r1"), refresh())
		equal(t, move("r1", "r2", at), true)
		equal(t, move("r1", "r3", at), false)
		equal(t, state("r1").Rotated, at)
		next := refresh()
		next.Hash, next.Issued = "r2", at
		equal(t, state("r2"), next)
		equal(t, move("r2", "r3", at.Add(time.Second)), true)
		equal(t, []any{state("r1").Rotated.IsZero(), state("r2").Rotated, state("r2").Spent, state("r3").Rotated.IsZero()},
			[]any{false, at.Add(time.Second), false, true})
		equal(t, state("r1").Spent, named)
		other := follows("r3", "r4", at)
		other.GrantID = "g2"
		equal(t, got(s.RotateRefresh(ctx, other))(t), false)
		other.GrantID, other.Tenant = "g1", "other"
		equal(t, got(s.RotateRefresh(ctx, other))(t), false)
		// RFC 9449 §5: who is believed to have the newest token must have its key.
		for _, key := range []string{"", "another"} {
			keyless := follows("r3", "r4", at)
			keyless.Named, keyless.Confirmation = named, oauth.Confirmation{JKT: key}
			equal(t, got(s.RotateRefresh(ctx, keyless))(t), false)
		}
		must(t, s.Disarm(ctx, false))
	}
	// A revoked grant gives nothing more, whoever was told that it stands.
	must(t, begin(ctx, s))
	equal(t, got(s.RevokeGrant(ctx, tenant, "g1", "x", noon()))(t), true)
	equal(t, got(s.RotateRefresh(ctx, follows("r1", "r2", at)))(t), false)
}

func assertions(t *testing.T, s *store.Store) {
	ctx, until := t.Context(), noon().Add(5*time.Minute)
	// SMART ASY-10: unique per tenant, issuer and jti, whatever exp says.
	must(t, s.UseAssertion(ctx, tenant, "iss", "jti", until))
	fails(t, s.UseAssertion(ctx, tenant, "iss", "jti", until.Add(time.Second)), errs.Conflict)
	must(t, s.UseAssertion(ctx, tenant, "is", "sjti", until))
	must(t, s.UseAssertion(ctx, tenant, "iss2", "jti", until))
	must(t, s.UseAssertion(ctx, other, "iss", "jti", until))

	equal(t, got(s.TokenRevoked(ctx, tenant, "t1"))(t), false)
	must(t, s.RevokeToken(ctx, tenant, "t1", until))
	must(t, s.RevokeToken(ctx, tenant, "t1", until))
	equal(t, got(s.TokenRevoked(ctx, tenant, "t1"))(t), true)
	equal(t, got(s.TokenRevoked(ctx, other, "t1"))(t), false)
}

func pendings(t *testing.T, s *store.Store) {
	ctx := t.Context()
	p := oauth.Pending{Tenant: tenant, ID: "f1", Browser: "b", Created: noon(), Expires: noon().Add(time.Hour),
		Request: oauth.AuthorizeRequest{ClientID: "app", State: "<s>&", MaxAge: -1, Prompt: []string{"login"}}}
	_, err := s.PendingByID(ctx, tenant, "f1")
	fails(t, err, errs.NotFound)
	must(t, s.PutPending(ctx, p))
	equal(t, got(s.PendingByID(ctx, tenant, "f1"))(t), p)
	p.SessionHash, p.PersonID, p.LaunchUser = "h1", "p-rosa", fhir.Reference{Type: "Practitioner", ID: "dr"}
	p.Capacity = fhir.Capacity{Kind: fhir.CapacitySelf, Patient: "rosa"}
	p.Context.Patient = "rosa"
	p.Request.JKT = "key"
	must(t, s.PutPending(ctx, p))
	equal(t, got(s.PendingByID(ctx, tenant, "f1"))(t), p)
	p.Request.Device = oauth.DeviceRef{Hash: "d", Code: "WDJB-MJHT"}
	must(t, s.PutPending(ctx, p))
	equal(t, got(s.PendingByID(ctx, tenant, "f1"))(t), p)
	p.Request.IDP = "https://idp.example"
	must(t, s.PutPending(ctx, p))
	equal(t, got(s.PendingByID(ctx, tenant, "f1"))(t), p)
	p.Request.JKT = ""
	must(t, s.PutPending(ctx, p))
	equal(t, got(s.PendingByID(ctx, tenant, "f1"))(t), p)

	equal(t, got(s.FinishPending(ctx, tenant, "f1", "", noon()))(t), true)
	equal(t, got(s.FinishPending(ctx, tenant, "f1", "", noon()))(t), false)
	equal(t, got(s.FinishPending(ctx, tenant, "none", "", noon()))(t), false)
	// A second tab with an old copy must not open it again.
	must(t, s.PutPending(ctx, p))
	equal(t, got(s.PendingByID(ctx, tenant, "f1"))(t).Done, noon())
	equal(t, got(s.FinishPending(ctx, tenant, "f1", "", noon()))(t), false)
}
