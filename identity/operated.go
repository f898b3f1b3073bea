package identity

import (
	"context"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

// endedByOperator is why a session ended that an operator ended.
const endedByOperator = "ended-by-operator"

// Reopen forgets the failed tries at an account on strange devices, so that it can
// be signed in to there again; known devices keep their counters. The caller has
// made sure of who asks. Errors: errs.NotFound with code account-not-found;
// errs.Unavailable.
func (s *Service) Reopen(ctx context.Context, tenant, username string) error {
	now := s.now()
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		p, err := s.named(ctx, tx, tenant, username)
		if err != nil {
			return err
		}
		if err := s.reopened(ctx, tx, p); err != nil {
			return err
		}
		e := s.event(audit.PersonSaved, try{tenant: tenant}, "", now)
		e.Action, e.Reason, e.Detail = "U", "sign-in-reopened", map[string]string{"account": p.ID, "role": string(p.Role)}
		return tx.AppendAudit(ctx, e)
	})
}

// reopened forgets the failed tries on strange devices.
func (s *Service) reopened(ctx context.Context, tx Tx, p Person) error {
	for _, t := range []try{s.passwordTry(p.Tenant, p.Username, false, Meta{}), s.codeTry(p.Tenant, p.ID, false, Meta{})} {
		if err := tx.ClearConsecutive(ctx, p.Tenant, t.consecutive); err != nil {
			return err
		}
		if err := tx.ClearFailures(ctx, p.Tenant, t.strangers); err != nil {
			return err
		}
	}
	return nil
}

// SignOutEverywhere ends all live sessions of an account, forgets their devices, and
// gives their number. Errors: as for Reopen.
func (s *Service) SignOutEverywhere(ctx context.Context, tenant, username string) (ended int, err error) {
	now := s.now()
	err = s.d.Tx.InTx(ctx, func(tx Tx) error {
		p, err := s.named(ctx, tx, tenant, username)
		if err != nil {
			return err
		}
		ended, err = s.endThose(ctx, tx, Session{Tenant: tenant, PersonID: p.ID}, endedByOperator, Meta{}, now, func(Session) bool { return true })
		return err
	})
	return ended, err
}

func (s *Service) named(ctx context.Context, st Store, tenant, username string) (Person, error) {
	p, err := st.PersonByUsername(ctx, tenant, FoldUsername(cut(username)))
	if errs.Is(err, errs.NotFound) {
		err = errs.New(errs.NotFound, "account-not-found", "There is no account of that name.")
	}
	return p, err
}
