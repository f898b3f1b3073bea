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
	bedsides(t, s, later)
}

// bedsides: an enrolment before witnesses is found until it has an end, with what waits
// for them; of two moves from one state one wins (SM-24).
func bedsides(t *testing.T, s *store.Store, v identity.Ticket) {
	ctx := t.Context()
	v.ID, v.Kind = "b1", identity.TicketBedside
	v.Bedside = &identity.Bedside{
		Seed: "seed", Patient: "rosa", Name: "Rosa", Needs: 2, Shared: true,
		Witnesses: []identity.Witness{{PersonID: "p-hale", Name: "Dr. Hale", Session: "s1", Browser: "b1", How: "wristband", Said: noon(), Confirmed: noon()}},
		Factor:    identity.Factor{Tenant: tenant, ID: "f1", PersonID: "p-rosa", Kind: identity.FactorPasskey, Secret: []byte("{}"), Created: noon()},
	}
	must(t, s.AddTicket(ctx, v))
	from := identity.TicketOpen
	for _, next := range []identity.TicketState{identity.TicketTaken, identity.TicketMade, identity.TicketSeen, identity.TicketApproved} {
		equal(t, got(s.OpenTickets(ctx, tenant, "p-rosa", identity.TicketBedside, noon()))(t), []identity.Ticket{v})
		v.State = next
		equal(t, got(s.MoveTicket(ctx, v, from))(t), true)
		equal(t, got(s.MoveTicket(ctx, v, from))(t), false)
		equal(t, got(s.TicketByID(ctx, tenant, v.ID))(t), v)
		from = next
	}
	equal(t, len(got(s.OpenTickets(ctx, tenant, "p-rosa", identity.TicketBedside, noon()))(t)), 0)
}
