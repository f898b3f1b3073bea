package clientauth

import (
	"encoding/base64"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/mandate-health/mandate/internal/errs"
)

// credential is what a request presents, not yet checked.
type credential struct {
	method Method
	// id is the client_id of a request without a credential.
	id string
	// pairs are the possible readings of an id and a secret.
	pairs []pair
	// assertion is the compact JWT.
	assertion string
}

type pair struct{ id, secret string }

// read finds the one method that the request uses.
func read(req Request) (credential, error) {
	form := req.Form
	if len(req.Authorization) > 1 {
		return credential{}, errs.New(errs.InvalidRequest, "authorization-repeated", "The Authorization header is repeated.")
	}
	basic := len(req.Authorization) == 1
	post := form.Has("client_secret")
	assertion := form.Has("client_assertion") || form.Has("client_assertion_type")
	switch {
	case basic && (post || assertion) || post && assertion:
		return credential{}, errs.New(errs.InvalidRequest, "two-client-credentials", "The request authenticates the client in two ways.")
	case basic:
		return readBasic(req.Authorization[0])
	case post:
		if !form.Has("client_id") {
			return credential{}, errs.New(errs.InvalidClient, "client-missing", "The request names no client.")
		}
		return credential{method: ClientSecretPost, pairs: []pair{{form.Get("client_id"), form.Get("client_secret")}}}, nil
	case assertion:
		if form.Get("client_assertion_type") != AssertionType {
			// 400, not 401: to public test kits it is an unsupported value.
			return credential{}, errs.New(errs.InvalidRequest, "assertion-type", "client_assertion_type must be "+AssertionType+".")
		}
		if !form.Has("client_assertion") {
			return credential{}, errs.New(errs.InvalidClient, "assertion-missing", "client_assertion is missing.")
		}
		return credential{method: PrivateKeyJWT, assertion: form.Get("client_assertion")}, nil
	}
	return credential{method: None, id: form.Get("client_id")}, nil
}

// readBasic reads HTTP Basic in both ways that clients write it.
func readBasic(header string) (credential, error) {
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return credential{}, errBasic()
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	if err != nil || len(raw) > 4096 {
		return credential{}, errBasic()
	}
	text := string(raw)
	id, secret, found := strings.Cut(text, ":")
	if !found || id == "" || !plain(text) {
		return credential{}, errBasic()
	}
	cred := credential{method: ClientSecretBasic, pairs: make([]pair, 0, 2)}
	decodedID, err1 := url.QueryUnescape(id)
	decodedSecret, err2 := url.QueryUnescape(secret)
	if err1 == nil && err2 == nil && plain(decodedID) && plain(decodedSecret) {
		cred.pairs = append(cred.pairs, pair{decodedID, decodedSecret})
	}
	if len(cred.pairs) == 0 || decodedID != id || decodedSecret != secret {
		cred.pairs = append(cred.pairs, pair{id, secret})
	}
	return cred, nil
}

func errBasic() error {
	return errs.New(errs.InvalidClient, "basic-malformed", "The Authorization header is not a Basic credential.")
}

// plain reports whether text is UTF-8 without control characters (RFC 6749
// appendix A.1): what else there is names no client, and neither store nor audit
// log must see it.
func plain(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

// Named gives the client that a request says it comes from, without any
// check, "" when it says nothing readable. It serves audit and CORS, never a
// decision about access.
func Named(req Request) string {
	if id := req.Form.Get("client_id"); id != "" {
		return id
	}
	if len(req.Authorization) == 1 {
		if cred, err := readBasic(req.Authorization[0]); err == nil {
			return cred.pairs[0].id
		}
	}
	if raw := req.Form.Get("client_assertion"); raw != "" {
		if t, err := jwt.ParseSigned(raw, certifiedBy); err == nil {
			var c jwt.Claims
			if t.UnsafeClaimsWithoutVerification(&c) == nil && plain(c.Issuer) {
				return c.Issuer
			}
		}
	}
	return ""
}
