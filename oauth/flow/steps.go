package flow

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// Step is where a request stands.
type Step string

// The steps, in order.
const (
	StepSignIn       Step = "sign-in"
	StepPatient      Step = "patient"
	StepSecondFactor Step = "second-factor"
	StepConsent      Step = "consent"
)

// Next names the step a request needs now and stores what became known on the
// way: who signed in, and the acting capacity when there is only one. A
// request that cannot go on is a *Refusal.
func (s *Service) Next(ctx context.Context, p oauth.Pending, who Visitor) (Step, oauth.Pending, error) {
	if !signedInFor(p, who, s.Clock.Now()) {
		if slices.Contains(p.Request.Prompt, "none") {
			return "", p, s.refusePending(ctx, p, who, errs.New(errs.LoginRequired, "login-required", "Nobody is signed in and prompt=none was asked."))
		}
		return StepSignIn, p, nil
	}
	if p.PersonID != who.Person.ID {
		// Another person took over this browser: whatever was chosen before
		// was chosen by somebody else.
		p.PersonID, p.SessionHash, p.Capacity.Kind = who.Person.ID, who.Session.Hash, ""
		if err := s.save(ctx, p); err != nil {
			return "", p, err
		}
	}
	if p.Capacity.Kind == "" {
		next, err := s.settleCapacity(ctx, &p, who)
		if err != nil || !next {
			return StepPatient, p, err
		}
	}
	if !identity.Sufficient(who.Person, p.Capacity, who.Session) {
		return StepSecondFactor, p, nil
	}
	if slices.Contains(p.Request.Prompt, "none") {
		return "", p, s.refusePending(ctx, p, who, errs.New(errs.InteractionRequired, "consent-required", "Consent is needed and prompt=none was asked."))
	}
	return StepConsent, p, nil
}

// signedInFor reports whether the log-in satisfies prompt=login and max_age.
func signedInFor(p oauth.Pending, who Visitor, now time.Time) bool {
	if !who.SignedIn() {
		return false
	}
	fresh := !who.Session.AuthTime.Before(p.Created)
	if slices.Contains(p.Request.Prompt, "login") && !fresh {
		return false
	}
	if p.Request.MaxAge >= 0 && !fresh && now.Sub(who.Session.AuthTime) > time.Duration(p.Request.MaxAge)*time.Second {
		return false
	}
	return true
}

// settleCapacity chooses without asking when there is nothing to choose.
// settled is false when the person must be asked.
func (s *Service) settleCapacity(ctx context.Context, p *oauth.Pending, who Visitor) (settled bool, err error) {
	choices, search, err := s.Choices(ctx, *p, who, "")
	if err != nil {
		return false, err
	}
	if len(choices) == 0 && !search {
		return false, s.refusePending(ctx, *p, who, errs.New(errs.AccessDenied, "no-record-to-share", "The person has no record that this app could be given."))
	}
	if search || len(choices) != 1 {
		return false, nil
	}
	return true, s.adopt(ctx, p, choices[0])
}

// adopt fixes the acting capacity and with it the launch context.
func (s *Service) adopt(ctx context.Context, p *oauth.Pending, c Choice) error {
	p.Capacity = c.Capacity
	if needsPatient(asked(*p)) || p.Context.Patient != "" {
		p.Context.Patient = c.Capacity.Patient
	}
	if p.Context.Encounter == "" && p.Context.Patient != "" && asked(*p).WantsLaunch("Encounter") {
		enc, err := s.Record.CurrentEncounter(ctx, p.Context.Patient)
		if err != nil {
			return err
		}
		p.Context.Encounter = enc
	}
	return s.save(ctx, *p)
}

// needsPatient reports whether the request cannot do without a patient in
// context (CTX-03, CTX-04).
func needsPatient(req scope.Request) bool {
	if req.WantsLaunch("Patient") {
		return true
	}
	for _, c := range req.Clinical {
		if c.Level == scope.Patient {
			return true
		}
	}
	return false
}

func (s *Service) save(ctx context.Context, p oauth.Pending) error {
	return s.Tx.InTx(ctx, func(tx Tx) error { return tx.PutPending(ctx, p) })
}
