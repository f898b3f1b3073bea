package identity

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

const (
	endedByRecovery = "account-recovered"
	// maxOpenRecoveries bounds what the queue shows.
	maxOpenRecoveries = 200
)

// RegainedApp gives the authenticator app that somebody sets up who needs a second
// factor and gave none as a proof. Errors: errs.Internal.
func (s *Service) RegainedApp(p Person, binding string) (CodeApp, error) {
	app := CodeApp{Secret: s.d.Codes.NewSecret(s.d.IDs)}
	app.Proof = s.newChallenge(purposeCodeApp, binding+"."+app.Secret, s.now())
	return s.RegainedAppAgain(p, app)
}

// RegainedAppAgain draws an app once more. Errors: errs.Internal.
func (s *Service) RegainedAppAgain(p Person, app CodeApp) (_ CodeApp, err error) {
	app.QR, err = s.d.Codes.QR(s.d.Codes.URI(p.Username, app.Secret))
	return app, err
}

// NeedsApp reports whether the account would lack a second factor that it needs
// after this recovery: what was not shown is taken away.
func NeedsApp(p Person, r Recovery) bool {
	return p.Role.NeedsSecondFactor() && !r.Has(ProofPasskey) && !r.Has(ProofApp)
}

// Regained is what somebody chooses at the end of a recovery.
type Regained struct {
	// Secret and Binding are those of the browser.
	Secret, Binding string
	Password        string
	// App and Code set an authenticator app up, where NeedsApp.
	App  CodeApp
	Code string
}

// FinishRecovery sets the new password unless a directory keeps it, takes away every authenticator that was not
// shown, ends all log-ins, forgets all devices and opens the way for strange ones
// again. Errors: errs.NotFound with code recovery-over; errs.Conflict with code
// recovery-early; errs.Unauthenticated with code code-refused, challenge-late or
// challenge-foreign; errs.Forbidden with code password-elsewhere; errs.Invalid as for
// ChangePassword; errs.Unavailable.
func (s *Service) FinishRecovery(ctx context.Context, tenant string, g Regained, m Meta) error {
	now := s.now()
	r, p, err := s.Recovery(ctx, tenant, g.Secret)
	if err != nil {
		return err
	}
	if !r.Finishable(now) {
		return errs.New(errs.Conflict, "recovery-early", "This cannot be finished yet.")
	}
	all, err := s.d.Store.Factors(ctx, tenant, p.ID)
	if err != nil {
		return err
	}
	hash, err := s.regainedPassword(ctx, p, r, g.Password, all)
	if err != nil {
		return err
	}
	app, err := s.regainedFactor(p, r, g, now)
	if err != nil {
		return err
	}
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		fresh, err := s.stillOpen(ctx, tx, r, now)
		if err != nil {
			return err
		}
		if err := s.replaceFactors(ctx, tx, p, fresh, hash, app, now); err != nil {
			return err
		}
		if app.ID != "" {
			if err := s.spend(ctx, tx, tenant, g.App.Proof, claimedEnd(g.App.Proof)); err != nil {
				return err
			}
		}
		nobody := Session{Tenant: tenant, PersonID: p.ID}
		if _, err := s.endThose(ctx, tx, nobody, endedByRecovery, m, now, func(Session) bool { return true }); err != nil {
			return err
		}
		if err := s.forgetDevices(ctx, tx, p); err != nil {
			return err
		}
		if err := s.reopened(ctx, tx, p); err != nil {
			return err
		}
		return s.endRecovery(ctx, tx, fresh, RecoveryDone, "done", "", m, now)
	})
}

// regainedPassword gives the stored form of the new password, nil where a directory
// keeps it: a recovery gives such an account its second factor back, and nothing else.
func (s *Service) regainedPassword(ctx context.Context, p Person, r Recovery, password string, all []Factor) ([]byte, error) {
	if _, kept := keptOf(all); kept {
		if password != "" {
			return nil, errKept()
		}
		return nil, nil
	}
	if err := FitPassword(p, shown(r, all), password); err != nil {
		return nil, err
	}
	return s.d.Passwords.Hash(ctx, password)
}

// shown gives the second factors that were shown as proofs.
func shown(r Recovery, all []Factor) []Factor {
	return slices.DeleteFunc(slices.Clone(all), func(f Factor) bool {
		return (f.Kind.Second() || f.Kind.Restricted()) && !slices.ContainsFunc(r.Proofs, func(p RecoveryProof) bool { return p.Factor == f.ID })
	})
}

// regainedFactor gives the app that was set up, the zero Factor where none is due.
func (s *Service) regainedFactor(p Person, r Recovery, g Regained, now time.Time) (Factor, error) {
	if !NeedsApp(p, r) {
		return Factor{}, nil
	}
	if _, err := s.challengeEnd(purposeCodeApp, g.Binding+"."+g.App.Secret, g.App.Proof, now); err != nil {
		return Factor{}, err
	}
	step, right, err := s.d.Codes.Check([]byte(g.App.Secret), g.Code, now)
	if err != nil {
		return Factor{}, err
	}
	if !right {
		return Factor{}, codeRefused("code-wrong")
	}
	return Factor{Tenant: p.Tenant, ID: s.d.IDs.ID(), PersonID: p.ID, Kind: FactorTOTP, Secret: []byte(g.App.Secret), Counter: step, Created: now}, nil
}

// replaceFactors sets the password, adds the app and removes what was not shown.
// A paper with recovery codes goes too: nobody knows who has it.
func (s *Service) replaceFactors(ctx context.Context, tx Tx, p Person, r Recovery, hash []byte, app Factor, now time.Time) error {
	all, err := tx.Factors(ctx, p.Tenant, p.ID)
	if err != nil {
		return err
	}
	if _, kept := keptOf(all); kept != (hash == nil) {
		return errs.New(errs.Conflict, "recovery-early", "This cannot be finished yet.")
	}
	password := Factor{Tenant: p.Tenant, ID: s.d.IDs.ID(), PersonID: p.ID, Kind: FactorPassword}
	stay := shown(r, all)
	for _, f := range all {
		switch {
		case f.Kind == FactorPassword:
			password = f
		case f.Kind == FactorRecovery || !slices.ContainsFunc(stay, func(k Factor) bool { return k.ID == f.ID }):
			if _, err := tx.RemoveFactor(ctx, p.Tenant, f.ID); err != nil {
				return err
			}
			err := s.factorChanged(ctx, tx, change{kind: audit.FactorRemoved, factor: f, outcome: audit.Success, reason: endedByRecovery, quiet: true}, now)
			if err != nil {
				return err
			}
		}
	}
	if hash != nil {
		password.Secret, password.Created, password.Locked = hash, now, ""
		if err := tx.PutFactor(ctx, password); err != nil {
			return err
		}
	}
	if app.ID == "" {
		return nil
	}
	return tx.AddFactor(ctx, app)
}

func (s *Service) forgetDevices(ctx context.Context, tx Tx, p Person) error {
	devices, err := tx.DevicesOfPerson(ctx, p.Tenant, p.ID)
	for _, d := range devices {
		if err == nil {
			err = tx.DropDevice(ctx, p.Tenant, p.ID, d.Hash)
		}
	}
	return err
}

// OpenRecoveries gives those that staff may look at, the oldest first. The caller
// has made sure of who asks. Errors: errs.Unavailable.
func (s *Service) OpenRecoveries(ctx context.Context, tenant string) ([]Recovery, error) {
	return s.d.Store.RecoveriesOpen(ctx, tenant, s.now(), maxOpenRecoveries)
}

// RecoveryCase gives one that is open. Errors: errs.NotFound; errs.Unavailable.
func (s *Service) RecoveryCase(ctx context.Context, tenant, id string) (Recovery, Person, error) {
	r, err := s.d.Store.RecoveryByID(ctx, tenant, id)
	if err == nil && (r.State == RecoveryEnrolling || !r.Live(s.now())) {
		err = recoveryOver()
	}
	if err != nil {
		return Recovery{}, Person{}, err
	}
	p, err := s.d.Store.PersonByID(ctx, tenant, r.PersonID)
	return r, p, err
}

// RecoveryWord is what one of the staff says about a recovery.
type RecoveryWord struct {
	By      Person
	Version int
	// Approve with a reason of ApprovalReasons, else RefusalReasons.
	Approve bool
	Reason  string
	// How and Documents are for a check: one of CheckWays, and what was seen.
	How       string
	Documents []string
}

// CheckRecovery notes that staff checked who somebody is. Errors: as for
// ReviewRecovery; errs.Invalid with code recovery-check.
func (s *Service) CheckRecovery(ctx context.Context, tenant, id string, w RecoveryWord, m Meta) error {
	documents := slices.DeleteFunc(slices.Clone(w.Documents), func(d string) bool { return d == "" })
	if !slices.Contains(CheckWays(), w.How) || w.How == "in-person" && len(documents) == 0 {
		return errs.New(errs.Invalid, "recovery-check", "Say how the person was checked, and which paper they showed.")
	}
	return s.word(ctx, tenant, id, w, func(tx Tx, r Recovery, p Person, now time.Time) error {
		if r.Has(ProofStaff) {
			return errs.New(errs.Conflict, "recovery-checked", "Somebody has checked this person already.")
		}
		before := r.Version
		r.Proofs = append(r.Proofs, RecoveryProof{Kind: ProofStaff, At: now, By: w.By.ID, How: w.How, Documents: documents})
		_, err := s.advance(ctx, tx, r, before, p, m, now)
		return err
	})
}

// ReviewRecovery notes the word of a reviewer. Each of two people says yes once;
// whoever checked the person is neither of them (SM-22). One no ends it. Errors:
// errs.NotFound; errs.Forbidden with code recovery-own or recovery-helper;
// errs.Conflict with code recovery-reviewer or recovery-early; errs.Invalid with code
// recovery-reason; errs.PreconditionFailed; errs.Unavailable.
func (s *Service) ReviewRecovery(ctx context.Context, tenant, id string, w RecoveryWord, m Meta) error {
	reasons := RefusalReasons()
	if w.Approve {
		reasons = ApprovalReasons()
	}
	if !slices.Contains(reasons, w.Reason) {
		return errs.New(errs.Invalid, "recovery-reason", "Choose a reason.")
	}
	return s.word(ctx, tenant, id, w, func(tx Tx, r Recovery, _ Person, now time.Time) error {
		if !w.Approve {
			return s.endRecovery(ctx, tx, r, RecoveryRefused, "refused", w.By.ID, m, now)
		}
		if r.State != RecoveryWaiting || r.Needs == 0 {
			return errs.New(errs.Conflict, "recovery-early", "This needs no review now.")
		}
		before := r.Version
		r.Reviews = append(r.Reviews, RecoveryReview{By: w.By.ID, At: now, Reason: w.Reason})
		r.Version = before + 1
		if err := tx.PutRecovery(ctx, r, before); err != nil {
			return err
		}
		e := s.event(audit.RecoveryStep, try{tenant: tenant, meta: m}, r.PersonID, now)
		e.Reason, e.Detail = "approved", map[string]string{"recovery": r.ID, "staff": w.By.ID, "why": w.Reason}
		return tx.AppendAudit(ctx, e)
	})
}

// word makes sure that one of the staff may have a say, and lets them.
func (s *Service) word(ctx context.Context, tenant, id string, w RecoveryWord, do func(Tx, Recovery, Person, time.Time) error) error {
	now := s.now()
	// Read by a way of its own, so before the transaction: a request never holds two
	// connections.
	helpers, err := s.helpersOfRecovery(ctx, tenant, id)
	if err != nil {
		return err
	}
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		r, err := tx.RecoveryByID(ctx, tenant, id)
		if err == nil && (r.State == RecoveryEnrolling || !r.Live(now)) {
			err = recoveryOver()
		}
		if err != nil {
			return err
		}
		p, err := tx.PersonByID(ctx, tenant, r.PersonID)
		if err != nil {
			return err
		}
		if err := maySay(r, w, helpers); err != nil {
			return err
		}
		return do(tx, r, p, now)
	})
}

// helpersOfRecovery gives those who help with the record of whoever recovers.
func (s *Service) helpersOfRecovery(ctx context.Context, tenant, id string) ([]string, error) {
	r, err := s.d.Store.RecoveryByID(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	p, err := s.d.Store.PersonByID(ctx, tenant, r.PersonID)
	if err != nil {
		return nil, err
	}
	return s.helpers(ctx, p)
}

// maySay is who may have a say: staff, about somebody else whom they do not help,
// once.
func maySay(r Recovery, w RecoveryWord, helpers []string) error {
	by := w.By.ID
	switch {
	case !w.By.Role.Staff() || by == r.PersonID:
		return errs.New(errs.Forbidden, "recovery-own", "Nobody decides about an own account.")
	case slices.Contains(helpers, by):
		return errs.New(errs.Forbidden, "recovery-helper", "Whoever helps with a record has no say in who opens it.")
	case w.Version != r.Version:
		return errs.New(errs.PreconditionFailed, "version-changed", "The stored version is another one by now.")
	}
	said := slices.ContainsFunc(r.Reviews, func(v RecoveryReview) bool { return v.By == by }) ||
		slices.ContainsFunc(r.Proofs, func(p RecoveryProof) bool { return p.By == by })
	if said {
		return errs.New(errs.Conflict, "recovery-reviewer", "Somebody else has to say that too.")
	}
	return nil
}
