package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// carriedRequests: a request that the browser carries is known by its name alone,
// is nobody's to change or to make up, and is answered once (AZ-21).
func carriedRequests(t *testing.T, s *store.Store) {
	ctx := t.Context()
	p := pending()
	p.ID = strings.Repeat("f", 32)
	carry := func(p oauth.Pending) oauth.Pending {
		t.Helper()
		p.Carried = got(s.CarryPending(ctx, p))(t)
		return p
	}
	p = carry(p)
	if !strings.HasPrefix(p.Carried, p.ID+".") || p.Name() != p.Carried || pending().Name() != pending().ID {
		t.Errorf("the name of %s is %s", p.ID, p.Name())
	}
	equal(t, got(s.PendingByID(ctx, tenant, p.Carried))(t), p)
	last := byte('A')
	if p.Carried[len(p.Carried)-10] == last {
		last = 'B'
	}
	for _, name := range []string{
		p.ID, p.ID + ".", p.ID + ".AAAA", strings.Repeat("e", 32) + p.Carried[32:], p.Carried + "=", p.Carried + "AAAA",
		p.Carried[:len(p.Carried)-10] + string(last) + p.Carried[len(p.Carried)-9:],
	} {
		_, err := s.PendingByID(ctx, tenant, name)
		fails(t, err, errs.NotFound)
	}
	_, err := s.PendingByID(ctx, other, p.Carried)
	fails(t, err, errs.NotFound)

	equal(t, race(t, 20, "", func(int) (bool, error) { return s.FinishPending(ctx, tenant, p.Carried, "", noon()) }), 1)
	equal(t, got(s.FinishPending(ctx, tenant, p.ID, "", noon()))(t), false)
	for _, name := range []string{p.ID, p.Carried} {
		done := got(s.PendingByID(ctx, tenant, name))(t)
		equal(t, []any{done.Done, done.Browser}, []any{noon(), ""})
	}

	grantsAnswer(t, s, p, carry)

	// One that was stored after all counts as it is stored.
	p.ID = strings.Repeat("d", 32)
	p = carry(p)
	later := p
	later.Carried, later.PersonID = "", "p-other"
	must(t, s.PutPending(ctx, later))
	equal(t, got(s.PendingByID(ctx, tenant, p.Carried))(t), later)
	equal(t, got(s.FinishPending(ctx, tenant, p.Carried, "", noon()))(t), true)
	equal(t, got(s.FinishPending(ctx, tenant, p.Carried, "", noon()))(t), false)
	must(t, s.PutPending(ctx, later))
	equal(t, got(s.PendingByID(ctx, tenant, p.Carried))(t).Done, noon())

	long := pending()
	long.Request.Scope = strings.Repeat("patient/Observation.rs?x=y ", 400)
	equal(t, got(s.CarryPending(ctx, long))(t), "")
	n, err := s.Housekeep(ctx, noon().Add(27*time.Hour))
	must(t, err)
	if n < 2 {
		t.Errorf("%d rows cleaned", n)
	}
}

// grantsAnswer: a grant of its id answers a request as well, and leaves nothing to
// refuse; what was refused, as p was, cannot be granted.
func grantsAnswer(t *testing.T, s *store.Store, p oauth.Pending, carry func(oauth.Pending) oauth.Pending) {
	t.Helper()
	ctx, refused := t.Context(), p.ID
	p.ID = strings.Repeat("c", 32)
	p = carry(p)
	answer := func(int) (ok bool, err error) {
		err = s.InTx(ctx, func(tx store.Tx) error {
			if err := tx.CreateGrant(ctx, grant(p.ID, noon())); err != nil {
				return err
			}
			ok, err = tx.FinishPending(ctx, tenant, p.Carried, p.ID, noon())
			return err
		})
		return ok, err
	}
	equal(t, race(t, 20, errs.Conflict, answer), 1)
	equal(t, got(s.FinishPending(ctx, tenant, p.Carried, "", noon()))(t), false)
	equal(t, got(s.PendingByID(ctx, tenant, p.Carried))(t).Done, noon())
	fails(t, s.CreateGrant(ctx, grant(refused, noon())), errs.Conflict)
}
