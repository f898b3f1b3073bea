package protocol

import (
	"context"
	"net/http"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	"github.com/mandate-health/mandate/oauth/flow"
	"github.com/mandate-health/mandate/oauth/grant"
)

// Pusher keeps authorization requests for the browser; oauth/flow is one.
type Pusher interface {
	Push(ctx context.Context, r flow.PushRequest) (flow.PushTicket, error)
}

type pushAnswer struct {
	RequestURI string `json:"request_uri"`
	// ExpiresIn is in seconds.
	ExpiresIn int64 `json:"expires_in"`
}

// Push is the pushed authorization request endpoint (RFC 9126). The client
// authenticates as at the token endpoint.
func Push(d Deps, requests Pusher) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, open, err := d.read(w, r, func(s engine.Site) string { return s.PushURL })
		if !open {
			return
		}
		var who clientauth.Result
		if err == nil {
			who, err = d.Auth.Authenticate(r.Context(), a.auth)
		}
		if err != nil {
			d.refuse(w, r, a, err)
			return
		}
		in := flow.PushRequest{
			Tenant: a.site.Tenant, Client: who.Client, Form: a.form, Network: a.network, RequestID: a.requestID,
		}
		if as := who.Assertion; as != nil {
			in.Proofs = append(in.Proofs, flow.Proof{
				Issuer: as.Issuer, JTI: as.JTI, Expires: as.Expires, Used: errs.New(errs.InvalidClient, "assertion-replayed", "The client assertion is refused: its jti was used before."),
			})
		}
		if len(a.proofs) > 0 {
			if err := d.pushedKey(w, r, a, who.Client, &in); err != nil {
				d.refuse(w, r, a, err)
				return
			}
		}
		ticket, err := requests.Push(r.Context(), in)
		if err != nil {
			d.Problem.OAuth(w, r, err)
			return
		}
		sendStatus(w, http.StatusCreated, pushAnswer{RequestURI: ticket.RequestURI, ExpiresIn: int64(ticket.Life / time.Second)})
	})
}

// pushedKey judges the DPoP proof of a pushed request, whose key counts as
// dpop_jkt (RFC 9449 §10.1).
func (d Deps) pushedKey(w http.ResponseWriter, r *http.Request, a asked, client oauth.Client, in *flow.PushRequest) error {
	p, nonce, err := d.Endpoint.Proof(r.Context(), a.call(), client)
	if nonce != "" {
		w.Header().Set("DPoP-Nonce", nonce)
	}
	if err != nil {
		return err
	}
	issuer, used := grant.Spend(p)
	in.JKT, in.Proofs = p.Thumbprint, append(in.Proofs, flow.Proof{Issuer: issuer, JTI: p.ID, Expires: p.Until, Used: used})
	return nil
}
