package identity

import (
	"context"
	"slices"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// ActAs turns a session to another capacity: that of a RelatedPerson which is
// linked to the account for sure, or, for the zero reference, that of the person
// themself. The session gets a new secret and the old one dies (SE-14). It opens
// nothing: every decision looks at what holds then. Errors: errs.Unauthenticated
// with code session-ended; errs.Forbidden with code acting-unknown;
// errs.Unavailable.
func (s *Service) ActAs(ctx context.Context, tenant, secret string, as fhir.Reference, m Meta) (SignInResult, error) {
	now, fresh := s.now(), s.d.Hasher.Secret(s.d.IDs)
	var out SignInResult
	err := s.d.Tx.InTx(ctx, func(tx Tx) error {
		old, p, err := s.load(ctx, tx, tenant, secret, now)
		switch {
		case err != nil:
			return err
		case old.Level() == "" || !s.bound(old, m):
			return sessionEnded()
		}
		e := s.event(audit.CapacitySwitched, try{tenant: tenant, meta: m}, p.ID, now)
		if !as.IsZero() {
			i := slices.IndexFunc(p.Identities, func(i Identity) bool {
				return i.Verified && i.Resource == as && as.Type == "RelatedPerson"
			})
			if i < 0 {
				return errs.New(errs.Forbidden, "acting-unknown", "You do not act for this person.")
			}
			e.Resource, e.Patient = as, p.Identities[i].Patient
		}
		next := old
		next.Hash, next.Acting, next.LastSeen = s.hash(fresh), as.ID, now
		next.IdleEnds = s.idleEnd(next, p, now)
		if err := s.replace(ctx, tx, old, &next, now); err != nil {
			return err
		}
		if err := tx.CreateSession(ctx, next); err != nil {
			return err
		}
		e.SessionID, e.Detail = next.Hash, map[string]string{"previous_session": old.Hash}
		out = SignInResult{Secret: fresh, Session: next, Person: p}
		return tx.AppendAudit(ctx, e)
	})
	return out, err
}

// ActsAs gives the identity as which a session acts; ok is false for a person who
// acts for themself, and for one whose link has gone.
func (p Person) ActsAs(s Session) (i Identity, ok bool) {
	n := slices.IndexFunc(p.Identities, func(i Identity) bool {
		return s.Acting != "" && i.Verified && i.Resource == fhir.Reference{Type: "RelatedPerson", ID: s.Acting}
	})
	if n < 0 {
		return Identity{}, false
	}
	return p.Identities[n], true
}
