package identity

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
)

const (
	// NoticeEnrolment is the template of the message with the link by which somebody
	// of the staff sets up what they sign in with. Args: to, secret, lang.
	NoticeEnrolment = "account-enrolment"
	// EnrolWithin is how long such a link works.
	EnrolWithin = 7 * 24 * time.Hour
)

// CloseTx ends all log-ins of an account and forgets its devices. What it signs in with
// stays. Errors: errs.Unavailable.
func (s *Service) CloseTx(ctx context.Context, tx Tx, p Person, reason string, m Meta) error {
	nobody := Session{Tenant: p.Tenant, PersonID: p.ID}
	if _, err := s.endThose(ctx, tx, nobody, reason, m, s.now(), func(Session) bool { return true }); err != nil {
		return err
	}
	return s.forgetDevices(ctx, tx, p)
}

// UnlinkTx removes the links of an account to other identity providers, so that their
// subjects are free again. Errors: errs.Unavailable.
func (s *Service) UnlinkTx(ctx context.Context, tx Tx, p Person, m Meta) error {
	all, err := tx.Factors(ctx, p.Tenant, p.ID)
	if err != nil {
		return err
	}
	for _, f := range all {
		if f.Kind != FactorUpstream {
			continue
		}
		if _, err := tx.RemoveFactor(ctx, p.Tenant, f.ID); err != nil {
			return err
		}
		c := change{kind: audit.FactorRemoved, factor: f, outcome: audit.Success, reason: "account-deleted", meta: m, quiet: true}
		if err := s.factorChanged(ctx, tx, c, s.now()); err != nil {
			return err
		}
	}
	return nil
}

// enrolled reports whether an account has anything to sign in with of its own.
func enrolled(all []Factor) bool {
	return slices.ContainsFunc(all, func(f Factor) bool { return f.Kind != FactorUpstream && f.Kind != FactorDirectory })
}

// EnrolTx sends somebody who has nothing to sign in with, or a password in a directory
// alone, a link by which they choose a password, if none is kept elsewhere, and set up
// a code app. It does nothing for an account that has something:
// a directory never opens a way into those. Errors: errs.Unavailable.
func (s *Service) EnrolTx(ctx context.Context, tx Tx, p Person, to string, m Meta) error {
	all, err := tx.Factors(ctx, p.Tenant, p.ID)
	if err != nil || slices.ContainsFunc(all, func(f Factor) bool { return f.Kind != FactorDirectory }) {
		return err
	}
	now, secret := s.now(), s.d.Hasher.Secret(s.d.IDs)
	r := Recovery{
		Tenant: p.Tenant, ID: s.d.IDs.ID(), Version: 1, Hash: s.recoverySecret(secret), PersonID: p.ID, State: RecoveryEnrolling,
		Created: now, Ready: now, Ends: now.Add(EnrolWithin), Proofs: []RecoveryProof{{Kind: ProofStaff, At: now, How: "directory"}},
	}
	if err := tx.PutRecovery(ctx, r, 0); err != nil {
		return err
	}
	e := s.event(audit.RecoveryStep, try{tenant: p.Tenant, meta: m}, p.ID, now)
	e.Reason, e.Detail = "enrolment-sent", map[string]string{"recovery": r.ID, "state": string(r.State)}
	if err := tx.AppendAudit(ctx, e); err != nil {
		return err
	}
	return tx.AddNotice(ctx, outbox.Notice{
		Tenant: p.Tenant, ID: s.d.IDs.ID(), PersonID: p.ID, Template: NoticeEnrolment,
		Args: map[string]string{"to": to, "secret": secret, "lang": p.Language}, Created: now,
	})
}

// Enrolment makes sure that the secret of a link still opens an account. Errors:
// errs.NotFound with code recovery-over; errs.Unavailable.
func (s *Service) Enrolment(ctx context.Context, tenant, secret string) error {
	r, _, err := s.Recovery(ctx, tenant, secret)
	if err == nil && r.State != RecoveryEnrolling {
		err = recoveryOver()
	}
	return err
}

// open reports whether a recovery may still lead into the account: never into one that
// is closed, and an enrolment only while nobody has enrolled.
func (s *Service) open(ctx context.Context, st Ports, r Recovery, p Person) error {
	if p.Disabled {
		return recoveryOver()
	}
	if r.State != RecoveryEnrolling {
		return nil
	}
	all, err := st.Factors(ctx, r.Tenant, r.PersonID)
	if err == nil && enrolled(all) {
		err = recoveryOver()
	}
	if errs.Is(err, errs.NotFound) {
		return recoveryOver()
	}
	return err
}

// stillOpen gives a recovery that can be finished, as it is inside the transaction.
func (s *Service) stillOpen(ctx context.Context, tx Tx, r Recovery, now time.Time) (Recovery, error) {
	fresh, err := tx.RecoveryByID(ctx, r.Tenant, r.ID)
	if err == nil && !fresh.Finishable(now) {
		err = recoveryOver()
	}
	if err != nil {
		return fresh, err
	}
	p, err := tx.PersonByID(ctx, r.Tenant, r.PersonID)
	if err == nil {
		err = s.open(ctx, tx, fresh, p)
	}
	return fresh, err
}
