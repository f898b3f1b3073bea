package identity

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

// LongestTravel is how far ahead somebody can say that they travel.
const LongestTravel = 60 * 24 * time.Hour

// Looks are the ways in which pages can look beside the common one: larger, with
// softer colours and more space, or both.
func Looks() []string { return []string{"", "large", "calm", "large calm"} }

// Traits is the port of what is kept of an account beside who it is.
type Traits interface {
	// SaveChoices keeps language, look and travels of an account, SaveHighRisk
	// whether it is of somebody at particular risk, and nothing else of it: an
	// account that was disabled since it was read stays so.
	SaveChoices(ctx context.Context, p Person) error
	SaveHighRisk(ctx context.Context, tenant, id string, on bool) error
}

// Choices are what a person wants of the pages; empty fields leave what there is.
type Choices struct {
	Language string
	// Look is one of Looks.
	Look *string
}

// SetChoices keeps them for the account and its session. Without a live session it
// does nothing. Errors: errs.Invalid with code look-unknown; errs.Unavailable.
func (s *Service) SetChoices(ctx context.Context, tenant, secret string, c Choices) error {
	if c.Look != nil && !slices.Contains(Looks(), *c.Look) {
		return errs.New(errs.Invalid, "look-unknown", "That look is not offered.")
	}
	now := s.now()
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		sess, p, err := s.load(ctx, tx, tenant, secret, now)
		if errs.Is(err, errs.Unauthenticated) {
			return nil
		}
		if err != nil {
			return err
		}
		if c.Look != nil {
			p.Look = *c.Look
		}
		if c.Language != "" {
			p.Language, sess.Language = c.Language, c.Language
			if err := tx.UpdateSession(ctx, sess); err != nil {
				return err
			}
		}
		return tx.SaveChoices(ctx, p)
	})
}

// SetTravel notes until when the person of a session travels, the zero time for not
// at all, and writes person.saved. It makes log-ins elsewhere less suspicious (SM-07), so
// it needs what a change of authenticators needs; to take it back needs a log-in. Errors:
// errs.Invalid with code travel-too-long; errs.Unauthenticated with code session-ended or
// step-up-needed; errs.Unavailable.
func (s *Service) SetTravel(ctx context.Context, tenant, secret string, until time.Time, m Meta) error {
	now := s.now()
	if until.Sub(now) > LongestTravel {
		return errs.New(errs.Invalid, "travel-too-long", "A journey can be told for sixty days ahead at most.")
	}
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		sess, p, err := s.load(ctx, tx, tenant, secret, now)
		if err == nil && !until.IsZero() {
			_, err = s.manage(ctx, tx, tenant, secret, now)
		}
		if err != nil {
			return err
		}
		p.Travels = until
		if err := tx.SaveChoices(ctx, p); err != nil {
			return err
		}
		e := s.event(audit.PersonSaved, try{tenant: tenant, meta: m}, p.ID, now)
		e.Action, e.SessionID, e.Detail = "U", sess.Hash, map[string]string{"account": p.ID, "travels": until.Format(time.RFC3339)}
		return tx.AppendAudit(ctx, e)
	})
}
