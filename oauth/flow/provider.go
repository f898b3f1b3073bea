package flow

import (
	"context"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// Providers says which identity providers are trusted; oauth/tiered does.
type Providers interface {
	// Trusted errs with errs.InvalidIDP for one that is not.
	Trusted(ctx context.Context, idp string) error
}

// provider judges where the person of a request is to log in. Only clients of a
// trust community may ask for that: to any other the parameter is unknown, and
// makes this server fetch nothing (AZ-14, UDP-33). Errors: errs.InvalidIDP.
func (s *Service) provider(ctx context.Context, req *oauth.AuthorizeRequest, client oauth.Client) error {
	if client.UDAP == nil {
		req.IDP = ""
	}
	if req.IDP == "" {
		return nil
	}
	if s.Providers == nil {
		return errs.New(errs.InvalidIDP, "idp-not-trusted", "People log in here only; leave idp out.")
	}
	return s.Providers.Trusted(ctx, req.IDP)
}

// Refuse ends a request for a reason that another room found. It always returns
// an error: the *Refusal, errs.Conflict when the request was answered before, or
// errs.Unavailable.
func (s *Service) Refuse(ctx context.Context, p oauth.Pending, who Visitor, cause *errs.Error) error {
	return s.refusePending(ctx, p, who, cause)
}
