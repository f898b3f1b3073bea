package clientauth

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"net/url"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/constraint"
)

// Method is an authentication method by its registered name (OIDC Core §9).
type Method string

// The methods.
const (
	None              Method = "none"
	ClientSecretBasic Method = "client_secret_basic"
	ClientSecretPost  Method = "client_secret_post"
	PrivateKeyJWT     Method = "private_key_jwt"
	TLS               Method = oauth.MethodTLS
	TLSOfSelf         Method = oauth.MethodTLSOfSelf
)

// AssertionType is the only client_assertion_type (RFC 7523 §2.2).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Request is what a request says about its client.
type Request struct {
	Tenant string
	// Audiences are the URLs of which an assertion must name one: the token
	// endpoint's, the endpoint's own where that is another one, and the issuer,
	// which is all that general OAuth clients name.
	Audiences []string
	// Issuer is the one that a client of the FAPI 2.0 profile must name.
	Issuer string
	// Network is the address that the client calls from, as seen behind trusted
	// proxies.
	Network string
	// Authorization holds the values of the Authorization header.
	Authorization []string
	// Form is the strictly parsed body: no parameter twice, none empty.
	Form url.Values
	// Certificate is the TLS client certificate, nil without one.
	Certificate *constraint.Certificate
}

// Result is an authenticated client. For None the client is only named.
type Result struct {
	Client    oauth.Client
	Method    Method
	Assertion *Assertion
	// Renewal is set where the secret is registered under an older key.
	Renewal *Renewal
	// Extensions are the authorization extensions of an assertion that a
	// certificate proved.
	Extensions map[string]json.RawMessage
}

// Renewal is a client secret hashed anew, because its registered form is under a
// key that is not the newest: that key cannot go while the form is registered.
// Whoever applies the request's writes stores it.
type Renewal struct {
	ClientID string
	// Was is the registered form, Fresh what takes its place.
	Was, Fresh string
}

// Assertion is a verified client assertion whose jti must be recorded.
type Assertion struct {
	Issuer  string
	JTI     string
	Expires time.Time
	// Chain is that of a certificate which the client showed for the first time,
	// to be remembered with it.
	Chain []string
}

// Clients gives registered clients. Errors: errs.NotFound.
type Clients interface {
	ClientByID(ctx context.Context, tenant, id string) (oauth.Client, error)
}

// Hashers gives the tenant's keyed hash.
type Hashers interface {
	Hasher(ctx context.Context, tenant string) (ids.Hasher, error)
}

// Certificates verifies assertions that carry their certificates (UDP-25).
type Certificates interface {
	// Assert judges the assertion of a client for one of the audiences. Errors:
	// errs.InvalidClient.
	Assert(ctx context.Context, c oauth.Client, compact string, audiences []string) (oauth.CertifiedAssertion, error)
}

// Authenticator authenticates clients.
type Authenticator struct {
	Clients Clients
	Hashers Hashers
	// Keys fetches key sets that are registered by URL.
	Keys *Fetcher
	// Certificates serves clients that are known by certificate; nil refuses
	// them.
	Certificates Certificates
	Clock        clock.Clock
	// Authorities vouch for certificates of tls_client_auth; nil for none.
	Authorities *x509.CertPool
	// Admit counts a request of a client that has proved itself; nil counts
	// none. Errors: errs.RateLimited.
	Admit func(ctx context.Context, tenant, clientID string) error

	sets parsedSets
}

// SecretHash gives the form in which a client secret is registered: its hash under
// the newest key, behind the mark of that key.
func SecretHash(h ids.Hasher, secret string) string {
	h = h.At(time.Time{})
	return h.Mark() + h.Hash("client-secret", secret)
}

// IsSecret compares a presented secret with a registered form.
func IsSecret(h ids.Hasher, stored, secret string) bool {
	h = h.Of(stored)
	return ids.Equal(stored, h.Mark()+h.Hash("client-secret", secret))
}

// renewal gives the newer form of a registered secret, nil where it has the newest.
func renewal(h ids.Hasher, clientID, stored, secret string) *Renewal {
	if h.At(time.Time{}).Mark() == ids.Mark(stored) {
		return nil
	}
	return &Renewal{ClientID: clientID, Was: stored, Fresh: SecretHash(h, secret)}
}

// Authenticate finds the method that the request uses and checks it. Errors:
// errs.InvalidRequest when it uses two (SMART SYM-05); errs.InvalidClient for
// every failed proof (ASY-15), unknown and disabled clients, and addresses that
// are not the client's; errs.RateLimited of
// Admit; errs.Unavailable.
func (a *Authenticator) Authenticate(ctx context.Context, req Request) (Result, error) {
	res, err := a.prove(ctx, req)
	if err == nil && !res.Client.CallsFrom(req.Network) {
		return Result{}, errs.New(errs.InvalidClient, "client-address", "This client may not call from this address.")
	}
	// A client that is only named is not counted: anybody may name it.
	if err != nil || a.Admit == nil || res.Method == None {
		return res, err
	}
	return res, a.Admit(ctx, req.Tenant, res.Client.ID)
}

func (a *Authenticator) prove(ctx context.Context, req Request) (Result, error) {
	cred, err := read(req)
	if err != nil {
		return Result{}, err
	}
	switch cred.method {
	case PrivateKeyJWT:
		return a.assertion(ctx, req, cred)
	case None:
		return a.public(ctx, req, cred)
	default:
		return a.secret(ctx, req, cred)
	}
}

// public accepts a client that has no credential; one that has must use it
// (SMART SYM-04).
func (a *Authenticator) public(ctx context.Context, req Request, cred credential) (Result, error) {
	if cred.id == "" {
		return Result{}, errs.New(errs.InvalidClient, "client-missing", "The request names no client.")
	}
	c, err := a.client(ctx, req.Tenant, cred.id)
	if err != nil {
		return Result{}, err
	}
	if c.ByCertificate() {
		return a.certificate(ctx, req, c)
	}
	if c.Confidential() {
		return Result{}, errs.New(errs.InvalidClient, "credential-missing", "This client must authenticate.")
	}
	return Result{Client: c, Method: None}, nil
}

// secret checks client_secret_basic and client_secret_post. Both readings of
// a Basic credential are tried: form-encoded as RFC 6749 §2.3.1 says, and as
// it stands, because some clients do not encode (D11).
func (a *Authenticator) secret(ctx context.Context, req Request, cred credential) (Result, error) {
	h, err := a.Hashers.Hasher(ctx, req.Tenant)
	if err != nil {
		return Result{}, err
	}
	var last error
	for _, pair := range cred.pairs {
		c, err := a.client(ctx, req.Tenant, pair.id)
		if err != nil {
			if !errs.Is(err, errs.InvalidClient) {
				return Result{}, err
			}
			last = err
			continue
		}
		if named := req.Form.Get("client_id"); named != "" && named != c.ID {
			last = errMismatch()
			continue
		}
		if c.Kind == oauth.ClientPublic && pair.secret == "" {
			return Result{Client: c, Method: None}, nil
		}
		if c.Kind != oauth.ClientSymmetric {
			last = errs.New(errs.InvalidClient, "method-not-registered", "This client is not registered for a secret.")
			continue
		}
		for _, stored := range c.SecretHashes {
			if IsSecret(h, stored, pair.secret) {
				return Result{Client: c, Method: cred.method, Renewal: renewal(h, c.ID, stored, pair.secret)}, nil
			}
		}
		last = errs.New(errs.InvalidClient, "secret-wrong", "Client authentication failed.")
	}
	return Result{}, last
}

// client gives a client that may act. Unknown and disabled ones fail alike.
func (a *Authenticator) client(ctx context.Context, tenant, id string) (oauth.Client, error) {
	c, err := a.Clients.ClientByID(ctx, tenant, id)
	if errs.Is(err, errs.NotFound) || err == nil && c.Disabled {
		return oauth.Client{}, errs.New(errs.InvalidClient, "client-unknown", "Client authentication failed.")
	}
	return c, err
}

func errMismatch() error {
	return errs.New(errs.InvalidClient, "client-id-mismatch", "client_id does not name the authenticated client.")
}
