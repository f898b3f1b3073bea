package identity

import (
	"bytes"
	"context"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

const (
	// reasonReset is why a password may not be used any more.
	reasonReset = "password-reset"
	// endedByReset is why sessions end with it.
	endedByReset = "password-reset"
)

// renew stores the form of now of a password that was right, unless another one was
// chosen in between.
func (s *Service) renew(ctx context.Context, tx Tx, c candidate) error {
	if c.renewed == nil {
		return nil
	}
	f, err := tx.FactorByID(ctx, c.tenant, c.stored.ID)
	if errs.Is(err, errs.NotFound) || err == nil && !bytes.Equal(f.Secret, c.stored.Secret) {
		return nil
	}
	if err != nil {
		return err
	}
	f.Secret = c.renewed
	return tx.PutFactor(ctx, f)
}

// ResetPassword ends the use of a password: it is refused like a wrong one, until the
// person has chosen another by the way back into an account, or while signed in by a
// passkey. All sessions end. The caller has made sure of who asks. Errors: as for
// Reopen; errs.Forbidden with code password-elsewhere.
func (s *Service) ResetPassword(ctx context.Context, tenant, username string) error {
	now := s.now()
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		p, err := s.named(ctx, tx, tenant, username)
		if err != nil {
			return err
		}
		factors, err := tx.Factors(ctx, tenant, p.ID)
		if err != nil {
			return err
		}
		if err := MayChoosePassword(factors); err != nil {
			return err
		}
		for _, f := range factors {
			if f.Kind != FactorPassword {
				continue
			}
			f.Locked = reasonReset
			if err := tx.NoteFactor(ctx, f); err != nil {
				return err
			}
			if err := s.factorChanged(ctx, tx, change{kind: audit.FactorChanged, factor: f, outcome: audit.Success, reason: reasonReset}, now); err != nil {
				return err
			}
		}
		nobody := Session{Tenant: tenant, PersonID: p.ID}
		_, err = s.endThose(ctx, tx, nobody, endedByReset, Meta{}, now, func(Session) bool { return true })
		return err
	})
}
