package identity_test

import (
	"testing"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// SM-24: an account that is closed, or told to be of somebody at particular risk, while
// a password waits for the witness, gets nothing; neither does one of somebody who
// helps others.
func TestWhatChangesBeforeTheLastNumberCounts(t *testing.T) {
	for name, change := range map[string]func(*identity.Person){
		"closed": func(p *identity.Person) { p.Disabled = true },
		"risk":   func(p *identity.Person) { p.HighRisk = true },
		"helper": func(p *identity.Person) { p.Role = identity.RoleProxy },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			p, ticket, w := h.atTheBedside(t)
			made, _, err := h.BedsideHere(t.Context(), tenant, ticket.ID, window)
			if err != nil {
				t.Fatal(err)
			}
			change(&p)
			h.in(t, func(tx identity.Tx) error { return tx.PutPerson(t.Context(), p) })
			before, err := h.deps.Store.Factors(t.Context(), tenant, p.ID)
			if err != nil {
				t.Fatal(err)
			}
			h.in(t, func(tx identity.Tx) error {
				_, refusal, err := h.ConfirmBedsideTx(t.Context(), tx, tenant, ticket.ID, w, h.BedsideNumber(made, 0), faraway())
				if err == nil {
					err = refusal
				}
				wantCode(t, err, errs.NotFound, "bedside-over")
				return nil
			})
			after, err := h.deps.Store.Factors(t.Context(), tenant, p.ID)
			if err != nil || len(after) != len(before) {
				t.Errorf("%d ways in became %d, %v", len(before), len(after), err)
			}
		})
	}
}

func (h house) in(t *testing.T, do func(identity.Tx) error) {
	t.Helper()
	if err := h.store.InTx(t.Context(), do); err != nil {
		t.Fatal(err)
	}
}

// atTheBedside lets somebody without any way in choose a password before Dr Osei.
func (h house) atTheBedside(t *testing.T) (identity.Person, identity.Ticket, identity.Witnessing) {
	t.Helper()
	p := identity.Person{Tenant: tenant, ID: "p-new", Username: "new", Name: "Nora", Role: identity.RolePatient, Created: h.clock.Now()}
	var w identity.Witnessing
	var out identity.Ticket
	h.in(t, func(tx identity.Tx) error {
		osei, err := tx.PersonByID(t.Context(), tenant, "p-osei")
		if err != nil {
			return err
		}
		now := h.clock.Now()
		s := identity.Session{Tenant: tenant, Hash: "s-osei", PersonID: osei.ID, AMR: []string{"pwd", "otp"}, AuthTime: now, Created: now, Ends: now.Add(identity.BedsideLife * 2), IdleEnds: now.Add(identity.BedsideLife * 2)}
		w = identity.Witnessing{By: osei, Session: s.Hash, How: identity.BedsideWays()[0]}
		if err := tx.CreateSession(t.Context(), s); err != nil {
			return err
		}
		if err := tx.PutPerson(t.Context(), p); err != nil {
			return err
		}
		var refusal error
		if out, refusal, err = h.OpenBedsideTx(t.Context(), tx, p, "nora", w, false, faraway()); err == nil {
			err = refusal
		}
		return err
	})
	if _, err := h.TakeBedside(t.Context(), tenant, h.BedsideCode(out), window, faraway()); err != nil {
		t.Fatal(err)
	}
	if err := h.MakeBedside(t.Context(), tenant, out.ID, identity.BedsideChoice{Binding: window, Password: newPW}, faraway()); err != nil {
		t.Fatal(err)
	}
	return p, out, w
}
