package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/watch"
	"github.com/mandate-health/mandate/store"
)

// D17: who is signed in is told from memory, until the session or the account
// changes, or whoever asks does not take the copy.
func memoryOfSessions(t *testing.T, s *store.Store) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	feed := watch.New(watch.Config{Store: s, Staleness: time.Minute, Clock: clock.System{}})
	m := s.Remember(feed)
	go feed.Run(ctx)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !feed.Fresh() {
		<-tick.C
	}
	all := func(identity.Session) bool { return true }
	_, _, err := m.SessionSeen(ctx, other, "h1", all)
	fails(t, err, errs.NotFound)
	v, person := session(), rosa()
	must(t, s.CreateSession(ctx, v))
	_, _, err = m.SessionSeen(ctx, tenant, "h1", all)
	fails(t, err, errs.NotFound)
	must(t, s.PutPerson(ctx, person))
	look := func(good func(identity.Session) bool) (identity.Session, identity.Person) {
		t.Helper()
		sess, who, err := m.SessionSeen(ctx, tenant, "h1", good)
		must(t, err)
		return sess, who
	}
	for range 2 {
		sess, who := look(all)
		equal(t, sess, v)
		equal(t, who, person)
	}
	// A use that is noted is told to nobody, so a copy that is kept says nothing of
	// it. What other nodes are told comes back to this one and drops copies too.
	last, kept := v, false
	for i := 0; !kept && i < 1000; i++ {
		<-tick.C
		before := last
		last.LastSeen = last.LastSeen.Add(time.Second)
		must(t, s.UpdateSession(ctx, last))
		sess, _ := look(all)
		kept = sess.LastSeen.Equal(before.LastSeen)
	}
	if !kept {
		t.Error("nothing is told from memory")
	}
	sess, _ := look(func(v identity.Session) bool { return v.LastSeen.Equal(last.LastSeen) })
	equal(t, sess, last)

	person.Name, person.Identities = "Rosa Alvarez de Cano", person.Identities[:1]
	must(t, s.PutPerson(ctx, person))
	_, who := look(all)
	equal(t, who, person)
	must(t, s.ReplaceSession(ctx, tenant, "h1", "f1", noon()))
	sess, _ = look(all)
	equal(t, sess.Replaced, noon())
	must(t, s.EndSession(ctx, tenant, "h1", noon()))
	sess, who = look(all)
	equal(t, sess.Ended, noon())
	equal(t, who, person)
}
