package openid

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/mandate-health/mandate/internal/ids"
)

// Keys gives key sets by their URL, with bounds and from memory where it can;
// clientauth.Fetcher does.
type Keys interface {
	Set(ctx context.Context, location, kid string) ([]jose.JSONWebKey, error)
}

// Attempt is what is remembered of one log-in on its way.
type Attempt struct {
	Issuer   string `json:"idp"`
	ClientID string `json:"client_id"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
}

// Claims are those of an id_token that count (OIDC Core §2, §3.1.3.7). All holds
// every claim.
type Claims struct {
	Issuer   string           `json:"iss"`
	Subject  string           `json:"sub"`
	Audience jwt.Audience     `json:"aud"`
	Party    string           `json:"azp"`
	Expires  *jwt.NumericDate `json:"exp"`
	Issued   *jwt.NumericDate `json:"iat"`
	Nonce    string           `json:"nonce"`
	FHIRUser string           `json:"fhirUser"`
	ACR      string           `json:"acr"`
	AMR      []string         `json:"amr"`
	Session  string           `json:"sid"`
	AuthTime *jwt.NumericDate `json:"auth_time"`

	All map[string]any `json:"-"`
}

// The longest age of a token, by how much a clock may be ahead of ours, and the
// longest subject in bytes (OIDC Core §2).
const (
	MaxAge     = 10 * time.Minute
	MaxSkew    = time.Minute
	maxSubject = 255
	maxToken   = 64 << 10
)

// algorithms are those in which a token may be signed.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.PS256, jose.RS384, jose.ES384, jose.EdDSA}
}

var errNoKey = errors.New("no key of the provider signed the token")

// verify checks the signature of a token by a provider's keys and reads its claims.
func verify(ctx context.Context, keys Keys, location, compact string, into ...any) (typ string, err error) {
	if len(compact) > maxToken {
		return "", errLong
	}
	token, err := jwt.ParseSigned(compact, algorithms())
	if err != nil {
		return "", err
	}
	head := token.Headers[0]
	set, err := keys.Set(ctx, location, head.KeyID)
	if err != nil {
		return "", err
	}
	err = errNoKey
	for _, k := range set {
		fits := k.KeyID == head.KeyID || head.KeyID == "" && len(set) == 1
		if !fits || k.Use != "" && k.Use != "sig" || k.Algorithm != "" && k.Algorithm != head.Algorithm {
			continue
		}
		if err = token.Claims(k.Key, into...); err == nil {
			typ, _ = head.ExtraHeaders[jose.HeaderType].(string)
			return typ, nil
		}
	}
	return "", err
}

// Verify checks the signature of an id_token by a provider's keys. The error is for
// the log only.
func Verify(ctx context.Context, keys Keys, location, compact string) (c Claims, err error) {
	if _, err = verify(ctx, keys, location, compact, &c, &c.All); err != nil {
		return Claims{}, err
	}
	return c, nil
}

// Fits judges the claims of a verified id_token.
func (c Claims) Fits(a Attempt, now time.Time) bool {
	if c.Nonce == "" || !ids.Equal(c.Nonce, a.Nonce) {
		return false
	}
	return c.meant(a.Issuer, a.ClientID, now) && c.Expires != nil && now.Before(c.Expires.Time()) &&
		c.Subject != "" && len(c.Subject) <= maxSubject
}

// meant reports whether a token comes from an issuer, for a client, and is fresh.
func (c Claims) meant(issuer, client string, now time.Time) bool {
	switch {
	case issuer == "" || c.Issuer != issuer, !slices.Contains(c.Audience, client):
		return false
	case len(c.Audience) > 1 && c.Party == "", c.Party != "" && c.Party != client:
		return false
	case c.Issued == nil || c.Issued.Time().After(now.Add(MaxSkew)):
		return false
	}
	return now.Sub(c.Issued.Time()) <= MaxAge
}

// values gives every claim as texts; what is an object is left out.
func (c Claims) values() map[string][]string {
	out := map[string][]string{}
	for name, v := range c.All {
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, one := range list {
			switch one := one.(type) {
			case string:
				out[name] = append(out[name], one)
			case bool, float64, json.Number:
				text, err := json.Marshal(one)
				if err == nil {
					out[name] = append(out[name], string(text))
				}
			}
		}
	}
	return out
}
