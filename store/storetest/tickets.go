package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

// tickets: what one device waits for is found by the other one while it is open, and
// of two answers one wins (SM-13).
func tickets(t *testing.T, s *store.Store) {
	ctx := t.Context()
	v := identity.Ticket{
		Tenant: tenant, ID: "t1", Kind: identity.TicketApproval, PersonID: "p-rosa", State: identity.TicketOpen, Created: noon(), Ends: noon().Add(time.Minute),
		Session: "s1", Browser: "b1", Agent: "Firefox/Windows", Network: "203.0.113.0/24", Number: "n1",
	}
	must(t, s.AddTicket(ctx, v))
	fails(t, s.AddTicket(ctx, v), errs.Conflict)
	later := v
	later.ID, later.Ends = "t2", noon().Add(2*time.Minute)
	must(t, s.AddTicket(ctx, later))
	open := func(tenant, person string, kind identity.TicketKind, at time.Time) []identity.Ticket {
		return got(s.OpenTickets(ctx, tenant, person, kind, at))(t)
	}
	equal(t, open(tenant, "p-rosa", identity.TicketApproval, noon()), []identity.Ticket{later, v})
	equal(t, open(tenant, "p-rosa", identity.TicketApproval, v.Ends), []identity.Ticket{later})
	equal(t, len(open(tenant, "p-rosa", "other", noon())), 0)
	equal(t, len(open(tenant, "p-tom", identity.TicketApproval, noon())), 0)
	equal(t, len(open(other, "p-rosa", identity.TicketApproval, noon())), 0)
	_, err := s.TicketByID(ctx, other, "t1")
	fails(t, err, errs.NotFound)

	done := v
	done.State, done.Answered = identity.TicketApproved, "s2"
	equal(t, got(s.MoveTicket(ctx, done, identity.TicketOpen))(t), true)
	equal(t, got(s.MoveTicket(ctx, done, identity.TicketOpen))(t), false)
	equal(t, got(s.TicketByID(ctx, tenant, "t1"))(t), done)
	equal(t, open(tenant, "p-rosa", identity.TicketApproval, noon()), []identity.Ticket{later})
}
