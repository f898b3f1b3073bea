package identity

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// methodVouched is the method of a log-in that another identity provider vouches
// for.
const methodVouched = "fed"

// Voucher is whom another identity provider vouches for: by the FHIR resource
// that stands for the person here, or else by the username here.
type Voucher struct {
	// Provider is the URL of the identity provider.
	Provider string
	Resource fhir.Reference
	Username string
}

// SignInVouched logs a person in for whom an identity provider vouches that is
// trusted to. NeedsSecondFactor is true, without a session, for an account that
// needs two factors: what the provider asked of the person is not known here.
// Errors: errs.AccessDenied with code idp-person-unknown for nobody and for a
// disabled account alike; errs.Unavailable.
func (s *Service) SignInVouched(ctx context.Context, tenant string, v Voucher, m Meta) (SignInResult, error) {
	now := s.now()
	p, reason, err := s.vouched(ctx, tenant, v)
	if err != nil {
		return SignInResult{}, err
	}
	enrolled := false
	if reason == "" {
		factors, err := s.d.Store.Factors(ctx, tenant, p.ID)
		if err != nil {
			return SignInResult{}, err
		}
		enrolled = slices.ContainsFunc(factors, func(f Factor) bool { return f.Kind.Second() })
	}
	r := SignInResult{Person: p, NeedsSecondFactor: enrolled || p.Role.NeedsSecondFactor()}
	secret := s.d.Hasher.Secret(s.d.IDs)
	err = s.d.Tx.InTx(ctx, func(tx Tx) error {
		e := s.event(audit.LoginSucceeded, try{tenant: tenant, meta: m}, p.ID, now)
		e.Detail = map[string]string{"amr": methodVouched, "idp": v.Provider}
		switch {
		case reason != "":
			e.Kind, e.Outcome, e.Reason = audit.LoginFailed, audit.MinorFailure, reason
			return tx.AppendAudit(ctx, e)
		case r.NeedsSecondFactor:
			e.Kind, e.Outcome, e.Reason = audit.LoginFailed, audit.MinorFailure, "second-factor-needed"
			return tx.AppendAudit(ctx, e)
		}
		r.Secret, r.Session = secret, s.vouchedSession(p, secret, m, now)
		return s.enter(ctx, tx, &r, try{tenant: tenant, meta: m, travels: p.Travels}, e, now)
	})
	if err == nil && reason != "" {
		err = errs.New(errs.AccessDenied, "idp-person-unknown", "The person whom the identity provider names has no account here.")
	}
	if err != nil {
		return SignInResult{}, err
	}
	return r, nil
}

func (s *Service) vouchedSession(p Person, secret string, m Meta, now time.Time) Session {
	n := s.newSession(p, secret, false, m, now)
	n.AMR = []string{methodVouched}
	return n
}

// vouched finds the account; reason is why nobody is logged in.
func (s *Service) vouched(ctx context.Context, tenant string, v Voucher) (p Person, reason string, err error) {
	switch {
	case !v.Resource.IsZero():
		p, err = s.d.Store.PersonByIdentity(ctx, tenant, v.Resource)
		linked := slices.ContainsFunc(p.Identities, func(id Identity) bool { return id.Resource == v.Resource && id.Verified })
		if err == nil && !linked {
			return Person{}, "account-unknown", nil
		}
	case v.Username != "" && len(v.Username) <= maxUsername:
		p, err = s.d.Store.PersonByUsername(ctx, tenant, FoldUsername(v.Username))
	default:
		return Person{}, "account-unknown", nil
	}
	switch {
	case errs.Is(err, errs.NotFound):
		return Person{}, "account-unknown", nil
	case err == nil && p.Disabled:
		return p, "account-disabled", nil
	}
	return p, "", err
}
