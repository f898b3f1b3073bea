package identity_test

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/identity"
)

func (t memTx) AddTicket(_ context.Context, v identity.Ticket) error {
	t.tickets[v.ID] = v
	return nil
}

func (t memTx) TicketByID(_ context.Context, tenant, id string) (identity.Ticket, error) {
	v, ok := t.tickets[id]
	if !ok || v.Tenant != tenant {
		return identity.Ticket{}, missing
	}
	return v, nil
}

func (t memTx) OpenTickets(_ context.Context, tenant, person string, kind identity.TicketKind, now time.Time) (out []identity.Ticket, _ error) {
	for _, v := range t.tickets {
		if v.Tenant == tenant && v.PersonID == person && v.Kind == kind && v.State.Pending() && now.Before(v.Ends) {
			out = append(out, v)
		}
	}
	return out, nil
}

func (t memTx) MoveTicket(_ context.Context, v identity.Ticket, from identity.TicketState) (bool, error) {
	if t.tickets[v.ID].State != from {
		return false, nil
	}
	t.tickets[v.ID] = v
	return true, nil
}
