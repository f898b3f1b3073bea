package protocol

import (
	"net/http"
	"net/url"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
)

// Caller says which client asks at an endpoint that takes JSON: one that shows its
// secret in the Authorization header, or an access token that it got for itself,
// with the proof that the token may need. The client must have the right. Errors:
// those of clientauth.Authenticator and engine.Verifier.Presented; errs.Forbidden
// with code evaluation-right.
func Caller(d Deps, right func(oauth.Client) bool) func(w http.ResponseWriter, r *http.Request) (oauth.Client, error) {
	return func(w http.ResponseWriter, r *http.Request) (oauth.Client, error) {
		site, err := d.Site(r)
		if err != nil {
			return oauth.Client{}, err
		}
		c, err := d.itself(w, r, site.Tenant, site.Issuer)
		if err == nil && !right(c) {
			err = errs.New(errs.Forbidden, "evaluation-right", "This client may not ask for decisions.")
		}
		return c, err
	}
}

// itself authenticates a client that speaks for itself.
func (d Deps) itself(w http.ResponseWriter, r *http.Request, tenant, issuer string) (oauth.Client, error) {
	network, _ := d.origin(r)
	header := r.Header.Values("Authorization")
	p, ok := presented(header)
	if !ok {
		result, err := d.Auth.Authenticate(r.Context(), clientauth.Request{
			Tenant: tenant, Issuer: issuer, Audiences: []string{issuer}, Network: network,
			Authorization: header, Form: url.Values{}, Certificate: d.certificate(r),
		})
		if err == nil && result.Method == clientauth.None {
			err = errs.New(errs.InvalidClient, "credential-missing", "The client must authenticate.")
		}
		if err != nil {
			return oauth.Client{}, err
		}
		return result.Client, d.Engine.Spend(r.Context(), tenant, result)
	}
	p.Proofs, p.Method, p.Certificate = r.Header.Values("DPoP"), r.Method, d.certificate(r).Thumbprint()
	if d.URL != nil {
		p.URLs = []string{d.URL(r)}
	}
	claims, nonce, err := d.Engine.Verifier.Presented(r.Context(), tenant, p)
	if nonce != "" {
		w.Header().Set("DPoP-Nonce", nonce)
	}
	switch {
	case err != nil:
		return oauth.Client{}, err
	case claims.Grant.ID != "":
		return oauth.Client{}, errs.New(errs.Forbidden, "evaluation-right", "A person's token gives no right to ask: the client asks for itself.")
	case !claims.Client.CallsFrom(network):
		return oauth.Client{}, errs.New(errs.InvalidClient, "client-address", "This client may not call from this address.")
	}
	return claims.Client, nil
}
