package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/keys"
)

const ticketColumns = `tenant, id, kind, person_id, state, ends, body`

func ticketPlace(v identity.Ticket) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "login_ticket", Column: "body", Row: v.ID}
}

func (p *ports) tickets(ctx context.Context, sql string, args ...any) ([]identity.Ticket, error) {
	var bodies []string
	all, err := list(ctx, p, func(r Row) (v identity.Ticket, err error) {
		var body string
		err = r.Scan(&v.Tenant, &v.ID, &v.Kind, &v.PersonID, &v.State, into(&v.Ends), &body)
		bodies = append(bodies, body)
		return v, err
	}, `SELECT `+ticketColumns+` FROM login_ticket WHERE tenant = $1 AND `+sql, args...)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if err := p.openDoc(ctx, ticketPlace(all[i]), bodies[i], &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (p *ports) ticketArgs(ctx context.Context, v identity.Ticket) ([]any, error) {
	body, err := p.sealDoc(ctx, ticketPlace(v), v)
	return []any{v.Tenant, v.ID, string(v.Kind), v.PersonID, string(v.State), micros(v.Ends), body}, err
}

// AddTicket implements identity.Tickets.
func (p *ports) AddTicket(ctx context.Context, v identity.Ticket) error {
	args, err := p.ticketArgs(ctx, v)
	if err != nil {
		return err
	}
	created, err := p.add(ctx, "tenant, id", `INSERT INTO login_ticket (`+ticketColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)`, args...)
	if err == nil && !created {
		err = errExists("ticket")
	}
	return err
}

// TicketByID implements identity.Tickets.
func (p *ports) TicketByID(ctx context.Context, tenant, id string) (identity.Ticket, error) {
	all, err := p.tickets(ctx, `id = $2`, tenant, id)
	if err == nil && len(all) == 0 {
		err = notFound("ticket")
	}
	if err != nil {
		return identity.Ticket{}, err
	}
	return all[0], nil
}

// OpenTickets implements identity.Tickets.
func (p *ports) OpenTickets(ctx context.Context, tenant, personID string, kind identity.TicketKind, now time.Time) ([]identity.Ticket, error) {
	return p.tickets(ctx, `person_id = $2 AND kind = $3 AND state IN ('open', 'taken', 'made', 'seen')
		AND ends > $4 ORDER BY ends DESC, id`, tenant, personID, string(kind), micros(now))
}

// MoveTicket implements identity.Tickets.
func (p *ports) MoveTicket(ctx context.Context, v identity.Ticket, from identity.TicketState) (bool, error) {
	args, err := p.ticketArgs(ctx, v)
	if err != nil {
		return false, err
	}
	return p.won(ctx, `UPDATE login_ticket SET kind = $3, person_id = $4, state = $5, ends = $6, body = $7
		WHERE tenant = $1 AND id = $2 AND state = $8`, append(args, string(from))...)
}
