package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

func rosa() identity.Person {
	return identity.Person{
		Tenant: tenant, ID: "p-rosa", Username: "Rosa", Name: "Rosa García", Role: identity.RolePatient, Language: "es",
		Identities: []identity.Identity{
			{Resource: fhir.Reference{Type: "Patient", ID: "rosa"}, Patient: "rosa", Verified: true},
			{Resource: fhir.Reference{Type: "RelatedPerson", ID: "rosa-for-luis"}, Patient: "luis"},
		},
		Created: noon(),
	}
}

func persons(t *testing.T, s *store.Store) {
	ctx := t.Context()
	_, err := s.PersonByID(ctx, tenant, "p-rosa")
	fails(t, err, errs.NotFound)
	must(t, s.PutPerson(ctx, rosa()))
	equal(t, got(s.PersonByID(ctx, tenant, "p-rosa"))(t), rosa())
	for _, typed := range []string{"Rosa", "rosa", "ROSA", "Ｒosa"} {
		equal(t, got(s.PersonByUsername(ctx, tenant, typed))(t).ID, "p-rosa")
	}
	ref := fhir.Reference{Type: "RelatedPerson", ID: "rosa-for-luis"}
	equal(t, got(s.PersonByIdentity(ctx, tenant, ref))(t), rosa())

	fails(t, s.PutPerson(ctx, identity.Person{Tenant: tenant, ID: "p-2", Username: "rOSA"}), errs.Conflict)
	_, err = s.PersonByID(ctx, tenant, "p-2")
	fails(t, err, errs.NotFound)
	must(t, s.PutPerson(ctx, identity.Person{Tenant: other, ID: "p-2", Username: "rosa"}))

	changed := rosa()
	changed.Name, changed.Disabled, changed.Username, changed.HighRisk = "", true, "rosita", true
	changed.Look, changed.Travels = "large calm", noon()
	changed.Identities = changed.Identities[:1]
	must(t, s.PutPerson(ctx, changed))
	equal(t, got(s.PersonByUsername(ctx, tenant, "rosita"))(t), changed)
	_, err = s.PersonByUsername(ctx, tenant, "rosa")
	fails(t, err, errs.NotFound)
	_, err = s.PersonByIdentity(ctx, tenant, ref)
	fails(t, err, errs.NotFound)

	// Choices that were read before leave an account disabled.
	choices := rosa()
	choices.Language, choices.Look, choices.Travels = "ar", "large", noon().Add(time.Hour)
	must(t, s.SaveChoices(ctx, choices))
	must(t, s.SaveHighRisk(ctx, tenant, "p-rosa", false))
	changed.Language, changed.Look, changed.Travels, changed.HighRisk = choices.Language, choices.Look, choices.Travels, false
	equal(t, got(s.PersonByID(ctx, tenant, "p-rosa"))(t), changed)

	// A verified link wins over an unverified one of another account.
	imposter := identity.Person{Tenant: tenant, ID: "a-first", Username: "x", Identities: []identity.Identity{
		{Resource: fhir.Reference{Type: "Patient", ID: "rosa"}, Patient: "rosa"}}}
	must(t, s.PutPerson(ctx, imposter))
	equal(t, got(s.PersonByIdentity(ctx, tenant, fhir.Reference{Type: "Patient", ID: "rosa"}))(t).ID, "p-rosa")
}

func factors(t *testing.T, s *store.Store) {
	ctx := t.Context()
	equal(t, len(got(s.Factors(ctx, tenant, "p-rosa"))(t)), 0)
	totp := identity.Factor{Tenant: tenant, ID: "a", PersonID: "p-rosa", Kind: identity.FactorTOTP,
		Secret: []byte{0, 1, 255}, Counter: 7, Created: noon().Add(time.Second)}
	password := identity.Factor{Tenant: tenant, ID: "b", PersonID: "p-rosa", Kind: identity.FactorPassword,
		Secret: []byte("hash"), Created: noon()}
	must(t, s.PutFactor(ctx, totp))
	must(t, s.PutFactor(ctx, password))
	equal(t, got(s.Factors(ctx, tenant, "p-rosa"))(t), []identity.Factor{password, totp})

	password.Secret = []byte("another")
	must(t, s.PutFactor(ctx, password))
	equal(t, got(s.Factors(ctx, tenant, "p-rosa"))(t), []identity.Factor{password, totp})

	for _, step := range []struct {
		counter int64
		want    bool
	}{{7, false}, {6, false}, {8, true}, {8, false}, {20, true}, {9, false}} {
		equal(t, got(s.AdvanceFactor(ctx, tenant, "a", step.counter))(t), step.want)
	}
	equal(t, got(s.AdvanceFactor(ctx, tenant, "none", 1))(t), false)
}

func authenticators(t *testing.T, s *store.Store) {
	ctx := t.Context()
	_, err := s.FactorByID(ctx, tenant, "pk-1")
	fails(t, err, errs.NotFound)
	key := identity.Factor{Tenant: tenant, ID: "pk-1", PersonID: "p-rosa", Kind: identity.FactorPasskey, Secret: []byte("{}"),
		Counter: 3, Created: noon(), Name: "Rosas Tablet", BackedUp: true}
	must(t, s.AddFactor(ctx, key))
	equal(t, got(s.FactorByID(ctx, tenant, "pk-1"))(t), key)
	equal(t, got(s.Factors(ctx, tenant, "p-rosa"))(t), []identity.Factor{key})
	// Nobody else can enrol the same key, nor change that of another tenant.
	stolen := key
	stolen.PersonID = "p-eve"
	fails(t, s.AddFactor(ctx, stolen), errs.Conflict)
	_, err = s.FactorByID(ctx, other, "pk-1")
	fails(t, err, errs.NotFound)

	noted := key
	noted.Name, noted.Used, noted.BackedUp, noted.Locked = "", noon().Add(time.Minute), false, "passkey-cloned"
	noted.Secret, noted.Counter = []byte("not this"), 99 // which a note leaves alone
	must(t, s.NoteFactor(ctx, noted))
	noted.Secret, noted.Counter = key.Secret, key.Counter
	equal(t, got(s.FactorByID(ctx, tenant, "pk-1"))(t), noted)
	unlocked := noted
	unlocked.Locked, unlocked.Name = "", "Tablet"
	must(t, s.NoteFactor(ctx, unlocked))
	unlocked.Locked = noted.Locked // a lock stays
	equal(t, got(s.FactorByID(ctx, tenant, "pk-1"))(t), unlocked)

	equal(t, got(s.RemoveFactor(ctx, other, "pk-1"))(t), false)
	equal(t, got(s.RemoveFactor(ctx, tenant, "pk-1"))(t), true)
	equal(t, got(s.RemoveFactor(ctx, tenant, "pk-1"))(t), false)
	equal(t, len(got(s.Factors(ctx, tenant, "p-rosa"))(t)), 0)

	equal(t, got(s.SpendChallenge(ctx, tenant, "c1", noon()))(t), true)
	equal(t, got(s.SpendChallenge(ctx, tenant, "c1", noon()))(t), false)
	equal(t, got(s.SpendChallenge(ctx, other, "c1", noon()))(t), true)
	upstreams(t, s)
	recoveries(t, s)
	tickets(t, s)
	directories(t, s)
}

func session() identity.Session {
	return identity.Session{Tenant: tenant, Hash: "h1", PersonID: "p-rosa", AuthTime: noon(), AMR: []string{"pwd", "otp"},
		Language: "es", Created: noon(), LastSeen: noon(), Ends: noon().Add(time.Hour), IdleEnds: noon().Add(time.Minute),
		Browser: "b", Device: "d", Shared: true, Agent: "Firefox/Windows", Network: "203.0.113.0/24", Family: "h0", Acting: "rosa-elena"}
}

func sessions(t *testing.T, s *store.Store) {
	ctx := t.Context()
	_, err := s.SessionByHash(ctx, tenant, "h1")
	fails(t, err, errs.NotFound)
	fails(t, s.UpdateSession(ctx, session()), errs.NotFound)
	must(t, s.CreateSession(ctx, session()))
	fails(t, s.CreateSession(ctx, session()), errs.Conflict)
	equal(t, got(s.SessionByHash(ctx, tenant, "h1"))(t), session())

	seen := session()
	seen.LastSeen, seen.IdleEnds, seen.AMR = noon().Add(time.Second), noon().Add(2*time.Minute), nil
	must(t, s.UpdateSession(ctx, seen))
	equal(t, got(s.SessionByHash(ctx, tenant, "h1"))(t), seen)

	_, _, err = s.SessionWithPerson(ctx, tenant, "h1")
	fails(t, err, errs.NotFound) // without its account
	must(t, s.PutPerson(ctx, rosa()))
	one, who, err := s.SessionWithPerson(ctx, tenant, "h1")
	must(t, err)
	equal(t, one, seen)
	equal(t, who, got(s.PersonByID(ctx, tenant, rosa().ID))(t))
	alone := rosa()
	alone.Identities = nil
	must(t, s.PutPerson(ctx, alone))
	_, who, err = s.SessionWithPerson(ctx, tenant, "h1")
	must(t, err)
	equal(t, who, alone)
	for _, absent := range [][2]string{{tenant, "h2"}, {other, "h1"}} {
		_, _, err = s.SessionWithPerson(ctx, absent[0], absent[1])
		fails(t, err, errs.NotFound)
	}

	must(t, s.EndSession(ctx, tenant, "h1", noon().Add(time.Minute)))
	must(t, s.EndSession(ctx, tenant, "h1", noon().Add(time.Hour)))
	// A request that was under way must not bring the session back.
	must(t, s.UpdateSession(ctx, seen))
	equal(t, got(s.SessionByHash(ctx, tenant, "h1"))(t).Ended, noon().Add(time.Minute))
}

func failures(t *testing.T, s *store.Store) {
	ctx, minute := t.Context(), time.Minute
	count := func(at time.Time) int { return got(s.CountFailure(ctx, tenant, "rosa", at, minute))(t) }
	equal(t, count(noon()), 1)
	equal(t, count(noon()), 2)
	equal(t, count(noon().Add(30*time.Second)), 3)
	// The first two leave the window a minute later; its end is included.
	equal(t, got(s.Failures(ctx, tenant, "rosa", noon().Add(minute-time.Microsecond), minute))(t), 3)
	equal(t, got(s.Failures(ctx, tenant, "rosa", noon().Add(minute), minute))(t), 1)
	equal(t, got(s.Failures(ctx, tenant, "rosa", noon(), minute))(t), 2)
	equal(t, got(s.Failures(ctx, tenant, "luis", noon(), minute))(t), 0)
	must(t, s.ClearFailures(ctx, tenant, "rosa"))
	equal(t, count(noon().Add(minute)), 1)
	// Of tries at the same time the last to count sees all, whoever read the
	// clock first; what a clock far ahead noted does not count.
	equal(t, count(noon().Add(minute-time.Second)), 2)
	equal(t, count(noon().Add(-time.Hour)), 1)
}
