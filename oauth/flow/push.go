package flow

import (
	"cmp"
	"context"
	"net/url"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// PushLife is how long a request_uri serves unless Deps says otherwise.
const PushLife = 90 * time.Second

// Proof is a client assertion or a DPoP proof that was verified and is used up by
// the request that it came with.
type Proof struct {
	Issuer  string
	JTI     string
	Expires time.Time
	// Used is the refusal of one that was used before.
	Used error
}

// PushRequest is an authorization request that a client leaves with the server.
type PushRequest struct {
	Tenant string
	// Client is the authenticated client; one without a credential is only named.
	Client oauth.Client
	// Form is the strictly parsed body.
	Form url.Values
	// Proofs are recorded as used, whatever becomes of the request.
	Proofs []Proof
	// JKT is the thumbprint of the key that a DPoP proof proved, empty without
	// one: it counts as dpop_jkt (RFC 9449 §10.1).
	JKT       string
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
// audit log. Errors: those of RFC 6749 §4.1.2.1; that of a Proof
// that was used before; errs.Unavailable.
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
	if r.JKT != "" && e.req.JKT != "" && e.req.JKT != r.JKT {
		return oauth.Pushed{}, errs.New(errs.InvalidDPoPProof, "dpop-key-other", "The DPoP proof is of another key than dpop_jkt names.")
	}
	e.req.JKT = cmp.Or(e.req.JKT, r.JKT)
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

// spend records the proofs. Errors: the refusal of one that was used before.
func spend(ctx context.Context, tx Tx, r PushRequest) error {
	for _, p := range r.Proofs {
		err := tx.UseAssertion(ctx, r.Tenant, p.Issuer, p.JTI, p.Expires)
		if errs.Is(err, errs.Conflict) {
			return p.Used
		}
		if err != nil {
			return err
		}
	}
	return nil
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
