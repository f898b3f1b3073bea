package protocol

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/telemetry"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	"github.com/mandate-health/mandate/oauth/grant"
	"github.com/mandate-health/mandate/web/problem"
)

// Clients gives registered clients, for CORS.
type Clients interface {
	ClientByID(ctx context.Context, tenant, id string) (oauth.Client, error)
	// Registered reports whether some enabled client runs at the origin.
	Registered(ctx context.Context, tenant, origin string) (bool, error)
}

// Deps is what the endpoints are made of.
type Deps struct {
	// Site gives the tenant that the request is for. Errors: errs.NotFound.
	Site     func(r *http.Request) (engine.Site, error)
	Endpoint *grant.Endpoint
	Engine   *engine.Engine
	Auth     *clientauth.Authenticator
	Ring     *keys.Ring
	Clients  Clients
	Problem  *problem.Writer
	// Origin gives the client's network address as seen behind trusted
	// proxies, and the id of the request, for audit; nil takes the address of
	// the connection.
	Origin func(r *http.Request) (network, requestID string)
	// URL tells the address of a request as its client knows it; nil takes the
	// one that discovery tells.
	URL func(r *http.Request) string
	// Certificate gives the client's TLS certificate, nil without one; a nil
	// function knows none.
	Certificate func(r *http.Request) *clientauth.Certificate
	// Metrics counts token requests; nil counts nothing.
	Metrics *telemetry.Metrics
}

func (d Deps) origin(r *http.Request) (string, string) {
	if d.Origin != nil {
		return d.Origin(r)
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr, ""
	}
	return host, ""
}

// asked is a parsed request to one of the endpoints.
type asked struct {
	site      engine.Site
	form      url.Values
	auth      clientauth.Request
	proofs    []string
	url       string
	network   string
	requestID string
}

// read parses the request and answers CORS for the client it names. open is
// false when the answer was written already; err is to be answered by refuse.
func (d Deps) read(w http.ResponseWriter, r *http.Request, endpoint func(engine.Site) string) (a asked, open bool, err error) {
	site, err := d.Site(r)
	if err != nil {
		d.Problem.OAuth(w, r, err)
		return asked{}, false, nil
	}
	if r.Method == http.MethodOptions {
		d.preflight(w, r, site.Tenant)
		return asked{}, false, nil
	}
	a = asked{site: site, proofs: r.Header.Values("DPoP"), url: endpoint(site)}
	if d.URL != nil {
		a.url = d.URL(r)
	}
	a.network, a.requestID = d.origin(r)
	if a.form, err = readForm(w, r); err == nil {
		err = d.nameHolder(r, site.Tenant, a.form)
	}
	a.auth = clientauth.Request{
		Tenant: site.Tenant, Issuer: site.Issuer, Audiences: []string{site.TokenURL, endpoint(site), site.Issuer, a.url},
		Network: a.network, Authorization: r.Header.Values("Authorization"), Form: a.form, Certificate: d.certificate(r),
	}
	d.allow(w, r, a.auth)
	return a, true, err
}

func (a asked) call() grant.Call {
	return grant.Call{
		Site: a.site, Form: a.form, Authorization: a.auth.Authorization, Proofs: a.proofs, URLs: []string{a.url}, Certificate: a.auth.Certificate,
		Network: a.network, RequestID: a.requestID,
	}
}

// refuse records and answers a request whose form or client was refused.
func (d Deps) refuse(w http.ResponseWriter, r *http.Request, a asked, err error) {
	d.Problem.OAuth(w, r, d.Endpoint.Refuse(r.Context(), a.call(), err))
}

// nameHolder fills in the client of a refresh that names none.
func (d Deps) nameHolder(r *http.Request, tenant string, form url.Values) error {
	presented := form.Get("refresh_token")
	if presented == "" || form.Get("grant_type") != "refresh_token" ||
		clientauth.Named(clientauth.Request{Authorization: r.Header.Values("Authorization"), Form: form}) != "" {
		return nil
	}
	id, err := d.Endpoint.Holder(r.Context(), tenant, presented)
	if id != "" {
		form.Set("client_id", id)
	}
	return err
}

// Token answers token requests (RFC 6749 §3.2).
func Token(d Deps) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, open, err := d.read(w, r, func(s engine.Site) string { return s.TokenURL })
		if !open {
			return
		}
		if err != nil {
			d.Metrics.Token("", err)
			d.refuse(w, r, a, err)
			return
		}
		answer, err := d.Endpoint.Token(r.Context(), a.call())
		d.Metrics.Token(a.form.Get("grant_type"), err)
		if answer.Nonce != "" {
			w.Header().Set("DPoP-Nonce", answer.Nonce)
		}
		if err != nil {
			d.Problem.OAuth(w, r, err)
			return
		}
		send(w, answer)
	})
}

// Introspect answers introspection requests (RFC 7662, SMART INT-*). The
// caller authenticates as a client, or with an access token of a client that
// has the introspection right (INT-08, INT-09).
func Introspect(d Deps) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, open, err := d.read(w, r, func(s engine.Site) string { return s.IntrospectURL })
		if !open {
			return
		}
		if err == nil && !a.form.Has("token") {
			err = errs.New(errs.InvalidRequest, "parameter-missing", "token is missing.")
		}
		var caller oauth.Client
		if err == nil {
			caller, err = d.introspector(w, r, a)
		}
		if err != nil {
			d.refuse(w, r, a, err)
			return
		}
		answer, err := d.Engine.Introspect(r.Context(), engine.IntrospectInput{
			Site: a.site, Caller: caller, Token: a.form.Get("token"),
			Network: a.network, RequestID: a.requestID,
		})
		if err != nil {
			d.Problem.OAuth(w, r, err)
			return
		}
		d.tell(w, r, a.site, caller, answer)
	})
}

// introspector says who asks.
func (d Deps) introspector(w http.ResponseWriter, r *http.Request, a asked) (oauth.Client, error) {
	if p, ok := presented(a.auth.Authorization); ok {
		p.Proofs, p.Method, p.URLs = a.proofs, r.Method, []string{a.url}
		p.Certificate = a.auth.Certificate.Thumbprint()
		claims, nonce, err := d.Engine.Verifier.Presented(r.Context(), a.site.Tenant, p)
		if nonce != "" {
			w.Header().Set("DPoP-Nonce", nonce)
		}
		if err != nil {
			return oauth.Client{}, err
		}
		if !claims.Client.Introspect {
			return oauth.Client{}, errs.New(errs.Forbidden, "introspection-right", "This client may not introspect with a token.")
		}
		if !claims.Client.CallsFrom(a.network) {
			return oauth.Client{}, errs.New(errs.InvalidClient, "client-address", "This client may not call from this address.")
		}
		return claims.Client, nil
	}
	result, err := d.Auth.Authenticate(r.Context(), a.auth)
	if err != nil {
		return oauth.Client{}, err
	}
	if result.Method == clientauth.None {
		return oauth.Client{}, errs.New(errs.InvalidClient, "credential-missing", "The client must authenticate.")
	}
	return result.Client, d.Engine.Spend(r.Context(), a.site.Tenant, result)
}

// presented gives the access token of an Authorization header.
func presented(header []string) (oauth.Presentation, bool) {
	if len(header) != 1 {
		return oauth.Presentation{}, false
	}
	scheme, token, found := strings.Cut(header[0], " ")
	dpop := strings.EqualFold(scheme, "DPoP")
	return oauth.Presentation{DPoP: dpop, Token: strings.TrimSpace(token)}, found && (dpop || strings.EqualFold(scheme, "Bearer"))
}

// Revoke answers revocation requests (RFC 7009, SMART REV-*).
func Revoke(d Deps) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, open, err := d.read(w, r, func(s engine.Site) string { return s.RevokeURL })
		if !open {
			return
		}
		if err == nil && !a.form.Has("token") {
			err = errs.New(errs.InvalidRequest, "parameter-missing", "token is missing.")
		}
		var result clientauth.Result
		if err == nil {
			result, err = d.Auth.Authenticate(r.Context(), a.auth)
		}
		if err != nil {
			d.refuse(w, r, a, err)
			return
		}
		err = d.Engine.Revoke(r.Context(), engine.RevokeInput{
			Site: a.site, Caller: result.Client, Token: a.form.Get("token"),
			Assertion: result.Assertion, Renewal: result.Renewal, Network: a.network, RequestID: a.requestID,
		})
		if err != nil {
			d.Problem.OAuth(w, r, err)
			return
		}
		problem.NoStore(w)
		w.WriteHeader(http.StatusOK)
	})
}

// JWKS serves the tenant's public keys to any origin (SMART OID-03).
func JWKS(d Deps) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		anyOrigin(w, r)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD, OPTIONS")
			d.Problem.OAuth(w, r, errs.New(errs.NotSupported, "method", "This endpoint takes GET only."))
			return
		}
		site, err := d.Site(r)
		if err != nil {
			d.Problem.OAuth(w, r, err)
			return
		}
		set, err := d.Ring.JWKS(r.Context(), site.Tenant)
		if err != nil {
			d.Problem.OAuth(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "public, max-age=300")
		sum := sha256.Sum256(set)
		w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
		serve(w, r, time.Time{}, set)
	})
}

// send writes a JSON answer that no cache may keep.
func send(w http.ResponseWriter, body any) { sendStatus(w, http.StatusOK, body) }

func sendStatus(w http.ResponseWriter, status int, body any) {
	problem.NoStore(w)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	out := json.NewEncoder(w)
	// Scopes may hold an ampersand; it goes out as it is.
	out.SetEscapeHTML(false)
	_ = out.Encode(body)
}
