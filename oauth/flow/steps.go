package flow

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
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

// silent gives the error of each step that prompt=none forbids to show (OIDC
// Core §3.1.2.6).
var silent = map[Step]*errs.Error{
	StepSignIn:       errs.New(errs.LoginRequired, "login-required", "Nobody is signed in and prompt=none was asked."),
	StepPatient:      errs.New(errs.InteractionRequired, "choice-required", "The record must be chosen and prompt=none was asked."),
	StepSecondFactor: errs.New(errs.InteractionRequired, "second-factor-required", "A second factor is needed and prompt=none was asked."),
	StepConsent:      errs.New(errs.InteractionRequired, "consent-required", "Consent is needed and prompt=none was asked."),
}

// Next names the step a request needs now and stores what became known on the
// way: who signed in, and the acting capacity when there is only one. A
// request that cannot go on is a *Refusal.
func (s *Service) Next(ctx context.Context, p oauth.Pending, who Visitor) (Step, oauth.Pending, error) {
	step, p, err := s.next(ctx, p, who)
	if err == nil && slices.Contains(p.Request.Prompt, "none") {
		return "", p, s.refusePending(ctx, p, who, silent[step])
	}
	return step, p, err
}

func (s *Service) next(ctx context.Context, p oauth.Pending, who Visitor) (Step, oauth.Pending, error) {
	if !signedInFor(p, who, s.Clock.Now()) {
		return StepSignIn, p, nil
	}
	settled, changed, err := s.settle(ctx, &p, who)
	if err != nil {
		return StepPatient, p, err
	}
	if changed {
		if p, err = s.save(ctx, p); err != nil {
			return "", p, err
		}
	}
	if !settled {
		return StepPatient, p, nil
	}
	if level, _ := s.Lacks(p, who); level != "" {
		return StepSecondFactor, p, nil
	}
	return StepConsent, p, nil
}

// settle notes who is signed in, and the acting capacity when there is nothing
// to choose; it stores nothing. settled is false when the person must choose.
func (s *Service) settle(ctx context.Context, p *oauth.Pending, who Visitor) (settled, changed bool, err error) {
	if p.PersonID == who.Person.ID && p.Capacity.Kind != "" {
		return true, false, nil
	}
	launched, err := s.launched(ctx, *p)
	if err != nil {
		return false, false, err
	}
	settled, changed, err = s.settleFrom(ctx, p, launched, who)
	if errors.Is(err, errNoRecord) {
		err = s.refusePending(ctx, *p, who, errNoRecord)
	}
	return settled, changed, err
}

// settleFrom is settle with the context that the EHR registered.
func (s *Service) settleFrom(ctx context.Context, p *oauth.Pending, launched oauth.Context, who Visitor) (settled, changed bool, err error) {
	if p.PersonID != who.Person.ID {
		// Another person took over this browser: whatever was chosen before
		// was chosen by somebody else.
		p.PersonID, p.SessionHash, p.Capacity, p.Context = who.Person.ID, who.Session.Hash, fhir.Capacity{}, launched
		changed = true
	}
	if p.Capacity.Kind != "" {
		return true, changed, nil
	}
	settled, err = s.settleCapacity(ctx, p, launched, who)
	return settled, changed || settled, err
}

// signedInFor reports whether the log-in satisfies prompt=login and max_age.
func signedInFor(p oauth.Pending, who Visitor, now time.Time) bool {
	if !who.SignedIn() {
		return false
	}
	fresh := !who.Session.AuthTime.Before(p.Created)
	// Who logged in here before need not be who the provider will name.
	if (slices.Contains(p.Request.Prompt, "login") || p.Request.IDP != "") && !fresh {
		return false
	}
	if p.Request.MaxAge >= 0 && !fresh && now.Sub(who.Session.AuthTime) > time.Duration(p.Request.MaxAge)*time.Second {
		return false
	}
	return true
}

var errNoRecord = errs.New(errs.AccessDenied, "no-record-to-share", "The person has no record that this app could be given.")

// settleCapacity chooses without asking when there is nothing to choose.
// settled is false when the person must be asked. Errors: errNoRecord.
func (s *Service) settleCapacity(ctx context.Context, p *oauth.Pending, launched oauth.Context, who Visitor) (settled bool, err error) {
	choices, search, err := s.choices(ctx, *p, launched, who, "")
	if err != nil {
		return false, err
	}
	if len(choices) == 0 && !search {
		return false, errNoRecord
	}
	if search || len(choices) != 1 {
		return false, nil
	}
	return true, s.take(ctx, p, choices[0], launched)
}

// launched gives the context that the EHR registered for the request, filled
// in but without what a person chose since; empty for a standalone launch.
func (s *Service) launched(ctx context.Context, p oauth.Pending) (oauth.Context, error) {
	if p.Request.Launch == "" {
		return oauth.Context{}, nil
	}
	l, err := s.Read.LaunchByHash(ctx, p.Tenant, p.Request.Launch)
	return s.embedded(l.Context), err
}

// take fixes the acting capacity and with it the launch context, which replaces
// that of an earlier choice; it stores nothing.
func (s *Service) take(ctx context.Context, p *oauth.Pending, c Choice, launched oauth.Context) error {
	p.Capacity, p.Context = c.Capacity, launched
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
	return nil
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

// save stores a request, which is known by its ID from then on.
func (s *Service) save(ctx context.Context, p oauth.Pending) (oauth.Pending, error) {
	p.Carried = ""
	return p, s.Tx.InTx(ctx, func(tx Tx) error { return tx.PutPending(ctx, p) })
}
