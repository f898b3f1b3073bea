package fhirapi

import (
	"context"
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// create files a new Consent. RelatedPersons come in through the use-cases
// that prove a relation, never through an app.
func (s *Service) create(ctx context.Context, c Call) (Answer, error) {
	if c.Request.Type != "Consent" || len(c.Request.IfNoneExist) > 0 {
		return Answer{}, notOffered()
	}
	if err := s.acceptable(c, c.Request.Body, scope.Create); err != nil {
		return Answer{}, err
	}
	rec, err := s.File.File(ctx, consent.Filing{Tenant: c.Tenant, Raw: c.Request.Body, Origin: c.Origin})
	return Answer{One: consentItem(rec), Created: true}, err
}

// update judges the stored and the resulting state (SMART TRP-08). Whoever
// may not see the stored one is told that there is none.
func (s *Service) update(ctx context.Context, sh shelf, c Call) (Answer, error) {
	if c.Request.Type != "Consent" {
		return Answer{}, notOffered()
	}
	stored, err := sh.current(ctx, c.Request.ID)
	if err != nil {
		return Answer{}, absent(err)
	}
	d, err := judge(c, stored.Raw, scope.Update)
	if err != nil {
		return Answer{}, err
	}
	if !d.Allow {
		if visible(c, stored) != nil {
			return Answer{}, errAbsent
		}
		return Answer{}, forbidden(d)
	}
	if err := s.ordinary(stored.Raw); err != nil {
		return Answer{}, err
	}
	if m := c.Request.IfMatch; m != "" && strings.TrimPrefix(m, "W/") != strconv.Quote(strconv.Itoa(stored.Version)) {
		return Answer{}, errs.New(errs.PreconditionFailed, "version-changed", "The resource was changed in the meantime.")
	}
	var body []byte
	if c.Request.Operation == operationRevoke {
		if ended(stored.Raw) {
			return Answer{One: stored}, nil
		}
		body, err = revoked(stored, c.Tenant, c.Request.Body)
	} else {
		body, err = view.KeepLabels(stored.Raw, c.Request.Body)
	}
	if err != nil {
		return Answer{}, err
	}
	if err := s.acceptable(c, body, scope.Update); err != nil {
		return Answer{}, err
	}
	rec, err := s.File.File(ctx, consent.Filing{Tenant: c.Tenant, ID: c.Request.ID, IfVersion: stored.Version, Raw: body, Origin: c.Origin})
	return Answer{One: consentItem(rec)}, err
}

// acceptable judges a state that is to be.
func (s *Service) acceptable(c Call, body []byte, op scope.Ops) error {
	d, err := judge(c, body, op)
	if err != nil {
		return err
	}
	if !d.Allow {
		return forbidden(d)
	}
	return s.ordinary(body)
}

// ordinary refuses the Consent that records the approval of an app: only the
// consent screen makes one, and only the list of apps ends it (SC-20).
func (s *Service) ordinary(raw []byte) error {
	// What cannot be parsed is named by the validation that follows.
	if c, err := consent.Parse(raw); err == nil && c.Kind == consent.KindAppApproval {
		return errs.New(errs.Unprocessable, "consent-app-approval", "The approval of an app is given and ended on Mandate's own pages.")
	}
	return nil
}

func forbidden(d access.Decision) error {
	code := "not-permitted"
	if len(d.Reasons) > 0 {
		code = d.Reasons[0].Code
	}
	return errs.New(errs.Forbidden, code, "The access token does not permit this.")
}

func notOffered() error {
	return errs.New(errs.NotSupported, "interaction-not-offered", "This interaction is not offered on this type.")
}
