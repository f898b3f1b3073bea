package protocol

import (
	"context"
	"net/http"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/engine"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
)

// Requests gives a client that proved who it is its own last requests, newest
// first, with cause codes, hints and links. An app without a credential asks the
// operator, as anybody may use its id.
func Requests(d Deps, recent func(ctx context.Context, tenant, clientID string) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, open, err := d.read(w, r, func(s engine.Site) string { return s.Issuer + "/requests" })
		if !open {
			return
		}
		var result clientauth.Result
		if err == nil {
			result, err = d.Auth.Authenticate(r.Context(), a.auth)
		}
		if err == nil && result.Method == clientauth.None {
			err = errs.New(errs.InvalidClient, "credential-missing", "The client must authenticate.")
		}
		if err == nil {
			err = d.Engine.Spend(r.Context(), a.site.Tenant, result)
		}
		if err != nil {
			d.refuse(w, r, a, err)
			return
		}
		requests, err := recent(r.Context(), a.site.Tenant, result.Client.ID)
		if err != nil {
			d.Problem.OAuth(w, r, err)
			return
		}
		send(w, map[string]any{"requests": requests})
	})
}
