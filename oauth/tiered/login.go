package tiered

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/oauth/udap"
)

// attempt is what is remembered of one log-in on its way, sealed in the state.
type attempt struct {
	Flow     string `json:"flow"`
	IDP      string `json:"idp"`
	ClientID string `json:"client_id"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
}

// secretBytes is the size of a nonce and of a code verifier before base64url.
const secretBytes = 32

// Begin gives the address at which the person of a request logs in: with a state
// and a nonce of this attempt alone (UDP-32, UDP-34). Errors: errs.InvalidIDP,
// errs.Unavailable.
func (s *Service) Begin(ctx context.Context, flow, idp string) (string, error) {
	p, err := s.provider(ctx, idp)
	if err != nil {
		return "", err
	}
	a := attempt{Flow: flow, IDP: idp, Nonce: s.secret(), Verifier: s.secret()}
	if a.ClientID, err = s.client(ctx, p); err != nil {
		return "", err
	}
	state, err := s.Sealer.Seal(ctx, a)
	if err != nil {
		return "", err
	}
	challenge := sha256.Sum256([]byte(a.Verifier))
	return p.authorize + "?" + url.Values{
		"response_type": {"code"}, "client_id": {a.ClientID}, "redirect_uri": {s.Callback}, "scope": {scopes},
		"state": {state}, "nonce": {a.Nonce}, "code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode(), nil
}

func (s *Service) secret() string {
	return base64.RawURLEncoding.EncodeToString(s.IDs.Bytes(secretBytes))
}

// Flow gives the request to which a state belongs, "" for a state that was not
// made here.
func (s *Service) Flow(ctx context.Context, state string) string {
	return s.open(ctx, state).Flow
}

func (s *Service) open(ctx context.Context, state string) (a attempt) {
	raw, err := s.Sealer.Open(ctx, state)
	if err != nil || json.Unmarshal(raw, &a) != nil {
		return attempt{}
	}
	return a
}

// Returned is what a provider sends back through the browser. Issuer is empty
// where it names none (RFC 9207).
type Returned struct{ State, Code, Issuer string }

// Finish redeems the code and tells whom the provider vouches for, in the words
// of the rules by which an operator lets its people in (UDP-35). Errors:
// errs.Internal with code idp-answer, when anything of the answer is not as it
// must be.
func (s *Service) Finish(ctx context.Context, r Returned) (identity.Voucher, error) {
	a := s.open(ctx, r.State)
	if a.IDP == "" || r.Code == "" || r.Issuer != "" && r.Issuer != a.IDP {
		return identity.Voucher{}, errFailed(nil)
	}
	p, err := s.provider(ctx, a.IDP)
	if err != nil {
		return identity.Voucher{}, errFailed(err)
	}
	compact, err := s.redeem(ctx, p, a, r.Code)
	if err != nil {
		return identity.Voucher{}, errFailed(err)
	}
	c, err := s.verify(ctx, p, compact)
	if err != nil {
		return identity.Voucher{}, errFailed(err)
	}
	if !c.fits(a, s.Clock.Now()) {
		return identity.Voucher{}, errFailed(nil)
	}
	return s.voucher(p, c), nil
}

// idClaims are those of an id_token that count (OIDC Core §3.1.3.7).
type idClaims struct {
	Issuer   string           `json:"iss"`
	Subject  string           `json:"sub"`
	Audience jwt.Audience     `json:"aud"`
	Party    string           `json:"azp"`
	Expires  *jwt.NumericDate `json:"exp"`
	Issued   *jwt.NumericDate `json:"iat"`
	Nonce    string           `json:"nonce"`
	FHIRUser string           `json:"fhirUser"`
}

// algorithms are those in which an id_token may be signed.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.RS384, jose.ES384}

// The longest age of an id_token and the longest subject in bytes (OIDC Core §2).
const (
	maxAge     = 10 * time.Minute
	maxSubject = 255
)

// verify checks the signature of an id_token by the provider's keys.
func (s *Service) verify(ctx context.Context, p *provider, compact string) (c idClaims, err error) {
	token, err := jwt.ParseSigned(compact, algorithms)
	if err != nil {
		return c, err
	}
	kid := token.Headers[0].KeyID
	set, err := s.Keys.Set(ctx, p.keys, kid)
	if err != nil {
		return c, err
	}
	err = errFailed(nil)
	for _, k := range set {
		if (k.KeyID == kid || kid == "" && len(set) == 1) && (k.Use == "" || k.Use == "sig") {
			if err = token.Claims(k.Key, &c); err == nil {
				return c, nil
			}
		}
	}
	return idClaims{}, err
}

// fits judges the claims of a verified id_token.
func (c idClaims) fits(a attempt, now time.Time) bool {
	switch {
	case c.Issuer != a.IDP, c.Subject == "" || len(c.Subject) > maxSubject, c.Nonce != a.Nonce:
		return false
	case !slices.Contains(c.Audience, a.ClientID), len(c.Audience) > 1 && c.Party == "", c.Party != "" && c.Party != a.ClientID:
		return false
	case c.Expires == nil || !now.Before(c.Expires.Time()), c.Issued == nil:
		return false
	}
	return !c.Issued.Time().After(now.Add(maxSkew)) && now.Sub(c.Issued.Time()) <= maxAge
}

// voucher puts the subject into the words of the first rule that has something to
// say; the zero person is nobody.
func (s *Service) voucher(p *provider, c idClaims) identity.Voucher {
	v := identity.Voucher{Provider: p.idp}
	for _, rule := range p.community.PeopleOf(p.idp) {
		switch rule {
		case udap.ByFHIRUser:
			if path, ours := strings.CutPrefix(c.FHIRUser, s.Base+"/"); ours {
				// What is no reference names nobody.
				v.Resource, _ = fhir.ParseReference(path)
				return v
			}
		case udap.ByUsername:
			v.Username = c.Subject
			return v
		}
	}
	return v
}
