package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/watch"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// heard collects what other nodes and this one are told.
type heard struct {
	s     *store.Store
	here  []watch.Change
	known map[string]bool
}

func listen(s *store.Store) *heard {
	h := &heard{s: s, known: map[string]bool{}}
	s.OnCommit(func(all []watch.Change) { h.here = append(h.here, all...) })
	return h
}

// says runs an act and checks what is told of it.
func (h *heard) says(t *testing.T, act error, want ...watch.Change) {
	t.Helper()
	must(t, act)
	there := []watch.Change(nil)
	for _, e := range got(h.s.Changes(t.Context(), time.Minute))(t) {
		if !h.known[e.ID] {
			h.known[e.ID] = true
			there = append(there, e.Change)
		}
	}
	order := func(a, b watch.Change) int { return len(a.Kind) - len(b.Kind) }
	slices.SortFunc(there, order)
	slices.SortFunc(h.here, order)
	equal(t, there, want)
	equal(t, h.here, want)
	h.here = nil
}

// D17: every act on which copies in memory depend is told to all nodes, and
// what issues tokens tells nothing.
func changes(t *testing.T, s *store.Store) {
	ctx, h := t.Context(), listen(s)
	told := func(kind watch.Kind, key string) watch.Change {
		return watch.Change{Tenant: tenant, Kind: kind, Key: key}
	}
	h.says(t, s.CreateGrant(ctx, grant("g1", noon())))
	h.says(t, s.CreateCode(ctx, code()))
	h.says(t, begin(ctx, s))
	h.says(t, rotate(ctx, s, follows("r1", "r2", noon())))
	h.says(t, s.UseAssertion(ctx, tenant, "iss", "jti", noon()))
	h.says(t, s.CreateSession(ctx, session()))
	h.says(t, s.UpdateSession(ctx, session()))

	h.says(t, s.PutClient(ctx, oauth.Client{Tenant: tenant, ID: "app"}), told(watch.Client, "app"))
	_, err := s.RevokeGrant(ctx, tenant, "g1", "x", noon())
	h.says(t, err, told(watch.Grant, "g1"))
	_, err = s.RevokeGrant(ctx, tenant, "g1", "x", noon())
	h.says(t, err)
	h.says(t, s.RevokeToken(ctx, tenant, "t1", noon()), told(watch.Token, "t1"))
	h.says(t, s.PutPerson(ctx, rosa()), told(watch.Person, "p-rosa"))
	h.says(t, s.EndSession(ctx, tenant, "h1", noon()), told(watch.Session, "h1"))
	h.says(t, s.PutConsent(ctx, record("c1", 1), 0), told(watch.Patient, "rosa"))
	h.says(t, s.PutRelatedPerson(ctx, related(1), 0), told(watch.Patient, "rosa"))
	h.says(t, s.PutRelatedPerson(ctx, related(2), 1), told(watch.Patient, "rosa"), told(watch.Relation, "maria"))
	h.says(t, s.PutSigningKey(ctx, keys.SigningKey{Tenant: tenant, KID: "k"}), told(watch.SigningKeys, ""))

	// What was undone is not told to others, and nothing is told twice.
	fails(t, s.InTx(ctx, func(tx store.Tx) error {
		must(t, tx.PutPerson(ctx, rosa()))
		return errs.New(errs.Forbidden, "no", "")
	}), errs.Forbidden)
	h.here = nil
	h.says(t, nil)
	equal(t, len(got(s.Changes(ctx, past))(t)), 0)
	// Cleaning by a clock that is a year ahead hides nothing.
	got(s.Housekeep(ctx, clock.System{}.Now().AddDate(1, 0, 0)))(t)
	equal(t, len(got(s.Changes(ctx, time.Minute))(t)), len(h.known))
}

// What the memory answers is what the store holds, at once after each act of
// this node.
func memory(t *testing.T, s *store.Store) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	now := clock.System{}.Now()
	feed := watch.New(watch.Config{Store: s, Staleness: time.Minute, Clock: clock.System{}})
	m := s.Remember(feed)
	go feed.Run(ctx)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !feed.Fresh() {
		<-tick.C
	}
	g := grant("g1", now)
	g.Ends, g.PersonID = now.Add(time.Hour), "p-rosa"
	v := session()
	v.Ends, v.Ended = now.Add(time.Hour), time.Time{}
	person := rosa()
	g.PersonID = person.ID
	must(t, s.InTx(ctx, func(tx store.Tx) error {
		must(t, tx.CreateGrant(ctx, g))
		must(t, tx.PutClient(ctx, oauth.Client{Tenant: tenant, ID: "app"}))
		must(t, tx.CreateSession(ctx, v))
		must(t, tx.PutRelatedPerson(ctx, related(1), 0))
		return tx.PutPerson(ctx, person)
	}))
	look := func() []any {
		relation := got(m.RelatedPersonByID(ctx, tenant, "maria"))(t)
		listed, st, err := m.TokenStanding(ctx, tenant, oauth.TokenRef{ID: "t1", ClientID: "app", GrantID: "g1"})
		must(t, err)
		return []any{
			st.Grant.Revoked.IsZero(), st.Client.Disabled, listed, st.PersonActive, st.SessionEnds.IsZero(),
			relation.Version, len(relation.JSON), st.ConsentEpoch, got(m.ConsentEpoch(ctx, tenant, "rosa"))(t),
		}
	}
	for range 2 {
		equal(t, look(), []any{true, false, false, true, false, 1, 0, int64(1), int64(1)})
	}
	got(s.RevokeGrant(ctx, tenant, "g1", "x", now))(t)
	must(t, s.PutClient(ctx, oauth.Client{Tenant: tenant, ID: "app", Disabled: true}))
	must(t, s.RevokeToken(ctx, tenant, "t1", now.Add(time.Hour)))
	person.Disabled = true
	must(t, s.PutPerson(ctx, person))
	must(t, s.EndSession(ctx, tenant, v.Hash, now))
	must(t, s.PutRelatedPerson(ctx, related(2), 1))
	equal(t, look(), []any{false, true, true, false, true, 2, 0, int64(2), int64(2)})
	_, err := m.ClientByID(ctx, tenant, "nobody")
	fails(t, err, errs.NotFound)
	equal(t, got(m.ClientByID(ctx, tenant, "app"))(t).Disabled, true)
}
