package identity

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

const (
	// minSole is the least length, in characters, of a password that is the only
	// factor (NI-05).
	minSole = 15
	// endedByPassword is why sessions end when the password changes.
	endedByPassword = "password-changed"
)

// FitPassword refuses what no list has to name: a password that holds the
// username, or that is too short to stand alone. Errors: errs.Invalid with code
// password-too-short or password-username.
func FitPassword(p Person, factors []Factor, password string) error {
	name := FoldUsername(p.Username)
	if len(name) >= 3 && strings.Contains(FoldUsername(password), name) {
		return errs.New(errs.Invalid, "password-username", "A password does not hold the username.")
	}
	for _, f := range factors {
		if f.Kind.Second() {
			return nil
		}
	}
	if !p.Role.NeedsSecondFactor() && utf8.RuneCountInString(password) < minSole {
		return errs.New(errs.Invalid, "password-too-short", "A password that is the only proof has at least 15 characters.")
	}
	return nil
}

// ChangePassword gives a session's person another password, ends their other
// sessions and tells them. Errors: errs.Unauthenticated with code session-ended or
// step-up-needed; errs.Forbidden with code password-elsewhere; errs.Invalid with code password-too-short, password-too-long,
// password-not-text, password-username or password-breached; errs.Unavailable.
func (s *Service) ChangePassword(ctx context.Context, tenant, secret, password string, m Meta) error {
	now := s.now()
	who, err := s.manage(ctx, s.d.Store, tenant, secret, now)
	if err != nil {
		return err
	}
	if err := MayChoosePassword(who.factors); err != nil {
		return err
	}
	if err := FitPassword(who.person, who.factors, password); err != nil {
		return err
	}
	hash, err := s.d.Passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		who, err := s.manage(ctx, tx, tenant, secret, now)
		if err != nil {
			return err
		}
		f := Factor{Tenant: tenant, ID: s.d.IDs.ID(), PersonID: who.person.ID, Kind: FactorPassword}
		for _, have := range who.factors {
			if have.Kind == FactorPassword {
				f = have
			}
		}
		f.Secret, f.Created, f.Locked = hash, now, ""
		if err := tx.PutFactor(ctx, f); err != nil {
			return err
		}
		mine := who.session
		if _, err := s.endThose(ctx, tx, mine, endedByPassword, m, now, func(v Session) bool { return v.Hash != mine.Hash }); err != nil {
			return err
		}
		return s.factorChanged(ctx, tx, change{kind: audit.FactorChanged, factor: f, outcome: audit.Success, meta: m, session: mine.Hash}, now)
	})
}
