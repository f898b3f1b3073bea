package protocol

import (
	"context"
	"net/http"
	"time"

	"github.com/mandate-health/mandate/oauth/engine"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	"github.com/mandate-health/mandate/oauth/flow"
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
		if who.Assertion != nil {
			in.Proof = &flow.Proof{Issuer: who.Assertion.Issuer, JTI: who.Assertion.JTI, Expires: who.Assertion.Expires}
		}
		ticket, err := requests.Push(r.Context(), in)
		if err != nil {
			d.Problem.OAuth(w, r, err)
			return
		}
		sendStatus(w, http.StatusCreated, pushAnswer{RequestURI: ticket.RequestURI, ExpiresIn: int64(ticket.Life / time.Second)})
	})
}
