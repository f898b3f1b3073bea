package tiered

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/federation/openid"
	"github.com/mandate-health/mandate/oauth/udap"
)

// attempt is what is remembered of one log-in on its way, sealed in the state.
type attempt struct {
	Flow string `json:"flow"`
	openid.Attempt
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
	a := attempt{Flow: flow, Attempt: openid.Attempt{Issuer: idp, Nonce: s.secret(), Verifier: s.secret()}}
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
	if a.Issuer == "" || r.Code == "" || r.Issuer != "" && r.Issuer != a.Issuer {
		return identity.Voucher{}, errFailed(nil)
	}
	p, err := s.provider(ctx, a.Issuer)
	if err != nil {
		return identity.Voucher{}, errFailed(err)
	}
	compact, err := s.redeem(ctx, p, a, r.Code)
	if err != nil {
		return identity.Voucher{}, errFailed(err)
	}
	c, err := openid.Verify(ctx, s.Keys, p.keys, compact)
	if err != nil {
		return identity.Voucher{}, errFailed(err)
	}
	if !c.Fits(a.Attempt, s.Clock.Now()) {
		return identity.Voucher{}, errFailed(nil)
	}
	return s.voucher(p, c), nil
}

// voucher puts the subject into the words of the first rule that has something to
// say; the zero person is nobody.
func (s *Service) voucher(p *provider, c openid.Claims) identity.Voucher {
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
