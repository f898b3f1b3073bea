package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/store"
)

func signingKeys(t *testing.T, s *store.Store) {
	ctx := t.Context()
	newer := keys.SigningKey{Tenant: tenant, KID: "a", Use: keys.UseAccessToken, Alg: "ES256", Private: []byte{0, 255},
		Created: noon().Add(time.Second), Signs: noon().Add(time.Hour)}
	older := keys.SigningKey{Tenant: tenant, KID: "b", Use: keys.UseIDToken, Alg: "RS256", Private: []byte("der"),
		Created: noon(), Signs: noon()}
	must(t, s.PutSigningKey(ctx, newer))
	must(t, s.PutSigningKey(ctx, older))
	older.Retired = noon().Add(time.Hour)
	must(t, s.PutSigningKey(ctx, older))
	equal(t, got(s.SigningKeys(ctx, tenant))(t), []keys.SigningKey{older, newer})
	equal(t, len(got(s.SigningKeys(ctx, other))(t)), 0)
}

func secrets(t *testing.T, s *store.Store) {
	ctx, made := t.Context(), 0
	fresh := func() []byte {
		made++
		return fmt.Append(nil, "secret", made)
	}
	for range 3 {
		equal(t, got(s.Secret(ctx, tenant, "cookies", fresh))(t), []byte("secret1"))
	}
	equal(t, got(s.Secret(ctx, tenant, "codes", fresh))(t), []byte("secret2"))
	equal(t, got(s.Secret(ctx, other, "cookies", fresh))(t), []byte("secret3"))
	must(t, s.RemoveSecret(ctx, tenant, "cookies"))
	must(t, s.RemoveSecret(ctx, tenant, "cookies"))
	equal(t, got(s.Secret(ctx, other, "cookies", fresh))(t), []byte("secret3"))
	equal(t, got(s.Secret(ctx, tenant, "cookies", fresh))(t), []byte("secret4"))
}

// messages: a person sees the own notices only, and marks them as read once.
func messages(t *testing.T, s *store.Store) {
	ctx := t.Context()
	ids := func(all []outbox.Notice) (out []string) {
		for _, n := range all {
			out = append(out, n.ID)
		}
		return out
	}
	equal(t, ids(got(s.NoticesOf(ctx, tenant, "p-rosa", 10))(t)), []string{"n2", "n1"})
	equal(t, len(got(s.NoticesOf(ctx, tenant, "p-elena", 10))(t)), 0)
	equal(t, len(got(s.NoticesOf(ctx, other, "p-rosa", 10))(t)), 0)
	equal(t, len(got(s.NoticesOf(ctx, other, "", 10))(t)), 0)
	must(t, s.NoticesSeen(ctx, tenant, "p-elena", noon(), noon()))
	must(t, s.NoticesSeen(ctx, tenant, "p-rosa", noon(), noon().Add(time.Minute)))
	must(t, s.NoticesSeen(ctx, tenant, "p-rosa", noon(), noon().Add(time.Hour)))
	read := got(s.NoticesOf(ctx, tenant, "p-rosa", 10))(t)
	equal(t, read[1].Seen, noon().Add(time.Minute))
	equal(t, read[0].Seen.IsZero(), true)
}

func notices(t *testing.T, s *store.Store) {
	ctx := t.Context()
	first := outbox.Notice{Tenant: tenant, ID: "n1", PersonID: "p-rosa", Template: "signed-in",
		Args: map[string]string{"app": "App"}, Created: noon()}
	second := outbox.Notice{Tenant: tenant, ID: "n2", PersonID: "p-rosa", Template: "revoked", Created: noon().Add(time.Second)}
	must(t, s.AddNotice(ctx, first))
	must(t, s.AddNotice(ctx, second))
	must(t, s.AddNotice(ctx, outbox.Notice{Tenant: other, Created: noon()}))
	equal(t, got(s.Notices(ctx, tenant, 10))(t), []outbox.Notice{second, first})
	equal(t, got(s.Notices(ctx, tenant, 1))(t), []outbox.Notice{second})
	equal(t, len(got(s.Notices(ctx, other, 10))(t)[0].ID), 32)

	// Each waits in the queue from the transaction of its cause on.
	waiting := map[string]bool{}
	for _, j := range got(s.ClaimJobs(ctx, outbox.Queue, 10, future))(t) {
		waiting[j.Tenant+"/"+j.Body] = true
	}
	equal(t, len(waiting) == 3 && waiting[tenant+"/n1"] && waiting[tenant+"/n2"], true)
	must(t, s.NoticeDelivered(ctx, tenant, "n1", "webhook", noon()))
	first.Delivered, first.Channel = noon(), "webhook"
	equal(t, got(s.NoticeByID(ctx, tenant, "n1"))(t), first)
	equal(t, got(s.NoticeByID(ctx, tenant, "n2"))(t), second)
	_, err := s.NoticeByID(ctx, other, "n1")
	fails(t, err, errs.NotFound)
	messages(t, s)
}

// D13: a row of one tenant is not found from another, whatever its kind.
func tenantsApart(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, s.PutPerson(ctx, rosa()))
	must(t, s.CreateSession(ctx, session()))
	must(t, s.PutConsent(ctx, record("c1", 1), 0))
	must(t, s.PutRelatedPerson(ctx, related(1), 0))
	must(t, s.CreateGrant(ctx, grant("g1", noon())))
	must(t, begin(ctx, s))
	must(t, s.CreateLaunch(ctx, launch()))
	must(t, s.PutFactor(ctx, identity.Factor{Tenant: tenant, ID: "f", PersonID: "p-rosa", Secret: []byte("x")}))
	tries := map[string]error{}
	_, tries["person"] = s.PersonByID(ctx, other, "p-rosa")
	_, tries["username"] = s.PersonByUsername(ctx, other, "rosa")
	_, tries["identity"] = s.PersonByIdentity(ctx, other, rosa().Identities[0].Resource)
	_, tries["session"] = s.SessionByHash(ctx, other, "h1")
	_, tries["consent"] = s.ConsentByID(ctx, other, "c1")
	_, tries["related"] = s.RelatedPersonByID(ctx, other, "maria")
	_, tries["grant"] = s.GrantByID(ctx, other, "g1")
	_, _, tries["refresh"] = s.RefreshStanding(ctx, other, refreshRef("r1"))
	must(t, s.CreatePushed(ctx, pushed()))
	_, tries["pushed request"] = s.PushedByHash(ctx, other, "q1")
	_, tries["launch"] = s.LaunchByHash(ctx, other, "l1")
	for what, err := range tries {
		if !errs.Is(err, errs.NotFound) {
			t.Errorf("%s of another tenant: got %v", what, err)
		}
	}
	equal(t, len(got(s.Factors(ctx, other, "p-rosa"))(t)), 0)
	equal(t, len(got(s.ConsentsOfPatient(ctx, other, "rosa"))(t)), 0)
	equal(t, got(s.RevokeGrant(ctx, other, "g1", "x", noon()))(t), false)
	theirs := follows("r1", "r2", noon())
	theirs.Tenant = other
	equal(t, got(s.RotateRefresh(ctx, theirs))(t), false)
}

// A NUL or broken UTF-8 from outside finds nothing and is no server fault.
func strangeTexts(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for _, text := range []string{"a\x00b", "\xff"} {
		_, err := s.PersonByUsername(ctx, tenant, text)
		fails(t, err, errs.NotFound)
		_, err = s.ClientByID(ctx, tenant, text)
		fails(t, err, errs.NotFound)
		equal(t, len(got(s.ConsentsOfPatient(ctx, tenant, text))(t)), 0)
		equal(t, got(s.TokenRevoked(ctx, tenant, "x"))(t), false)
		p := rosa()
		p.Username = text
		fails(t, s.PutPerson(ctx, p), errs.Invalid)
		must(t, s.UseAssertion(ctx, tenant, text, text, noon()))
	}
}
