package identity

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// MatchState is where a case about a subject stands.
type MatchState string

// The states of a case.
const (
	MatchOpen    MatchState = "open"
	MatchLinked  MatchState = "linked"
	MatchRefused MatchState = "refused"
)

// Match is a case that staff decide: somebody signed in at an identity provider,
// and the rules are not sure who it is here.
type Match struct {
	Tenant string
	// ID is that of the link there will be: one case for each subject.
	ID       string
	Provider string
	State    MatchState
	// Said is what the provider says of the person, Found the resources that fit.
	Said    map[string]string
	Found   []fhir.Reference
	Created time.Time
	// Decided is when, By the account of who decided and PersonID the account that
	// was linked.
	Decided      time.Time
	By, PersonID string
}

// Matches is the port of these cases.
type Matches interface {
	// PutMatch stores a case, or what changed of it.
	PutMatch(ctx context.Context, m Match) error
	// MatchByID gives a case. Errors: errs.NotFound.
	MatchByID(ctx context.Context, tenant, id string) (Match, error)
	// OpenMatches gives the open ones, the oldest first.
	OpenMatches(ctx context.Context, tenant string, limit int) ([]Match, error)
}

// maxFound is how many resources one case names.
const maxFound = 5

// askStaff leaves a case, or renews the one there is; one that was refused stays.
func (s *Service) askStaff(ctx context.Context, tx Tx, tenant string, u Upstream, now time.Time) error {
	id := s.linkID(u.Provider, u.Subject)
	old, err := tx.MatchByID(ctx, tenant, id)
	switch {
	case err == nil && old.State == MatchRefused:
		return nil
	case err != nil && !errs.Is(err, errs.NotFound):
		return err
	}
	m := Match{
		Tenant: tenant, ID: id, Provider: u.Provider, State: MatchOpen, Said: said(u.Said),
		Found: u.Found[:min(len(u.Found), maxFound)], Created: now,
	}
	if err == nil && old.State == MatchOpen {
		m.Created = old.Created
	}
	return tx.PutMatch(ctx, m)
}

// OpenMatches gives the cases that wait, the oldest first. Errors: errs.Unavailable.
func (s *Service) OpenMatches(ctx context.Context, tenant string, limit int) ([]Match, error) {
	return s.d.Store.OpenMatches(ctx, tenant, limit)
}

// Decision is what staff say of a case.
type Decision struct {
	// Username is the account of the person; empty refuses the case.
	Username string
	// By is the account of who decides, empty for the command line.
	By string
}

// DecideMatch links the subject of a case to an account, whose owner is told, or
// refuses it. Errors: errs.NotFound with code match-not-found or person-not-found;
// errs.Conflict with code match-decided or factor-exists; errs.Forbidden with code
// match-own for whoever decides about themself; errs.Unavailable.
func (s *Service) DecideMatch(ctx context.Context, tenant, id string, d Decision, m Meta) error {
	now := s.now()
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		c, err := tx.MatchByID(ctx, tenant, id)
		if errs.Is(err, errs.NotFound) {
			return errs.New(errs.NotFound, "match-not-found", "There is no such case.")
		}
		if err != nil {
			return err
		}
		if c.State != MatchOpen {
			return errs.New(errs.Conflict, "match-decided", "The case is decided already.")
		}
		c.State, c.Decided, c.By = MatchRefused, now, d.By
		e := s.event(audit.MatchDecided, try{tenant: tenant, meta: m}, d.By, now)
		e.Detail = map[string]string{"match": c.ID, "idp": c.Provider}
		if d.Username != "" {
			p, err := s.linkMatch(ctx, tx, c, d, m, now)
			if err != nil {
				return err
			}
			c.State, c.PersonID = MatchLinked, p.ID
			e.Detail["account"] = p.ID
		}
		e.Reason = string(c.State)
		if err := tx.PutMatch(ctx, c); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, e)
	})
}

// linkMatch gives the account of a decision, linked.
func (s *Service) linkMatch(ctx context.Context, tx Tx, c Match, d Decision, m Meta, now time.Time) (Person, error) {
	p, err := tx.PersonByUsername(ctx, c.Tenant, FoldUsername(d.Username))
	if err != nil {
		return p, err
	}
	if p.ID == d.By {
		return p, errs.New(errs.Forbidden, "match-own", "Nobody decides about their own account.")
	}
	f, err := newLink(c.Tenant, c.ID, p.ID, c.Provider, now)
	if err != nil {
		return p, err
	}
	return p, s.addLink(ctx, tx, change{factor: f, meta: m, reason: "decided-by-staff"}, now)
}
