package flow

import (
	"context"
	"net/url"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// PushLife is how long a request_uri serves unless Deps says otherwise.
const PushLife = 90 * time.Second

// Proof is a client assertion that was verified and is used up by the request
// that it came with.
type Proof struct {
	Issuer  string
	JTI     string
	Expires time.Time
}

// PushRequest is an authorization request that a client leaves with the server.
type PushRequest struct {
	Tenant string
	// Client is the authenticated client; one without a credential is only named.
	Client oauth.Client
	// Form is the strictly parsed body.
	Form url.Values
	// Proof is recorded as used, whatever becomes of the request; nil for none.
	Proof     *Proof
	Network   string
	RequestID string
}

// PushTicket is what the client sends the browser with.
type PushTicket struct {
	// RequestURI is told only here.
	RequestURI string
	// Life is how long it serves.
	Life time.Duration
}

// Push judges an authorization request as Start does and keeps it for the one
// browser that comes with its request_uri (RFC 9126). A launch handle must be
// good and is redeemed only when the browser comes. The refusal is in the
// audit log. Errors: those of RFC 6749 §4.1.2.1; errs.InvalidClient for an
// assertion that was used before; errs.Unavailable.
func (s *Service) Push(ctx context.Context, r PushRequest) (PushTicket, error) {
	now := s.Clock.Now()
	p, err := s.pushable(ctx, r, now)
	if err != nil {
		return PushTicket{}, s.refusePush(ctx, r, errs.As(err))
	}
	secret := s.Hasher.Secret(s.IDs)
	p.Hash = s.Hasher.Hash("request-uri", secret)
	err = s.Tx.InTx(ctx, func(tx Tx) error {
		if err := spend(ctx, tx, r); err != nil {
			return err
		}
		if err := tx.CreatePushed(ctx, p); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, s.pushEvent(r, audit.AuthorizePushed))
	})
	if err != nil {
		return PushTicket{}, err
	}
	return PushTicket{RequestURI: PushedPrefix + secret, Life: p.Expires.Sub(now)}, nil
}

// pushable judges the request.
func (s *Service) pushable(ctx context.Context, r PushRequest, now time.Time) (oauth.Pushed, error) {
	v := r.Form
	switch named := v.Get("client_id"); {
	case v.Has("request_uri"):
		return oauth.Pushed{}, errs.New(errs.InvalidRequest, "request-uri-pushed", "A request that is pushed carries its parameters, not a request_uri.")
	case named == "":
		// A client that authenticates need not name itself twice.
		v.Set("client_id", r.Client.ID)
	case named != r.Client.ID:
		return oauth.Pushed{}, errs.New(errs.InvalidRequest, "client-id-mismatch", "client_id does not name the authenticated client.")
	}
	e, _, err := s.judge(ctx, r.Tenant, v)
	if err != nil {
		return oauth.Pushed{}, err
	}
	p := oauth.Pending{Tenant: r.Tenant, Request: e.req, Created: now}
	if e.req.Launch != "" {
		if _, err := s.launch(ctx, &p); err != nil {
			return oauth.Pushed{}, err
		}
	}
	life := s.PushLife
	if life <= 0 {
		life = PushLife
	}
	return oauth.Pushed{Tenant: r.Tenant, ClientID: e.client.ID, Request: e.req, Created: now, Expires: now.Add(life)}, nil
}

// spend records the assertion. Errors: errs.InvalidClient when it was used
// before.
func spend(ctx context.Context, tx Tx, r PushRequest) error {
	if r.Proof == nil {
		return nil
	}
	err := tx.UseAssertion(ctx, r.Tenant, r.Proof.Issuer, r.Proof.JTI, r.Proof.Expires)
	if errs.Is(err, errs.Conflict) {
		return errs.Wrap(err, errs.InvalidClient, "assertion-replayed", "The client assertion is refused: its jti was used before.")
	}
	return err
}

// refusePush records the refusal and gives the error to be answered: that of
// the request, or, as the graver one, that of its assertion.
func (s *Service) refusePush(ctx context.Context, r PushRequest, cause *errs.Error) error {
	if cause.Kind == errs.Unavailable || cause.Kind == errs.Internal {
		return cause
	}
	err := s.Tx.InTx(ctx, func(tx Tx) error {
		if err := spend(ctx, tx, r); err != nil {
			return err
		}
		e := s.pushEvent(r, audit.AuthorizeRefused)
		e.Outcome, e.Reason = audit.MinorFailure, cause.Code
		return tx.AppendAudit(ctx, e)
	})
	if err != nil {
		return err
	}
	return cause
}

func (s *Service) pushEvent(r PushRequest, kind audit.Kind) audit.Event {
	return audit.Event{
		Tenant: r.Tenant, Time: s.Clock.Now(), Kind: kind, Action: "E", Outcome: audit.Success,
		ClientID: r.Client.ID, Network: r.Network, RequestID: r.RequestID,
	}
}
