package openid

import (
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
)

// UDP-35: every claim of an id_token is judged, one wrong one is enough.
func TestClaimsFitTheAttempt(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(d time.Duration) *jwt.NumericDate { return jwt.NewNumericDate(now.Add(d)) }
	a := Attempt{Issuer: "https://idp.example", ClientID: "me", Nonce: "n"}
	for what, row := range map[string]struct {
		bend func(*Claims)
		ok   bool
	}{
		"good": {func(*Claims) {}, true}, "two audiences and azp": {func(c *Claims) { c.Audience, c.Party = jwt.Audience{"me", "x"}, "me" }, true},
		"a clock ahead by seconds": {func(c *Claims) { c.Issued = at(30 * time.Second) }, true},
		"another issuer":           {func(c *Claims) { c.Issuer += "/" }, false}, "no subject": {func(c *Claims) { c.Subject = "" }, false},
		"a long subject": {func(c *Claims) { c.Subject = string(make([]byte, maxSubject+1)) }, false},
		"no nonce":       {func(c *Claims) { c.Nonce = "" }, false}, "another nonce": {func(c *Claims) { c.Nonce = "N" }, false}, "another audience": {func(c *Claims) { c.Audience = jwt.Audience{"you"} }, false},
		"two audiences": {func(c *Claims) { c.Audience = jwt.Audience{"me", "x"} }, false}, "another azp": {func(c *Claims) { c.Party = "x" }, false},
		"over": {func(c *Claims) { c.Expires = at(0) }, false}, "no end": {func(c *Claims) { c.Expires = nil }, false},
		"no beginning": {func(c *Claims) { c.Issued = nil }, false}, "old": {func(c *Claims) { c.Issued = at(-MaxAge - time.Second) }, false},
		"ahead": {func(c *Claims) { c.Issued = at(MaxSkew + time.Second) }, false},
	} {
		c := Claims{Issuer: a.Issuer, Subject: "rosa", Audience: jwt.Audience{"me"}, Nonce: "n", Issued: at(-time.Second), Expires: at(time.Minute)}
		if row.bend(&c); c.Fits(a, now) != row.ok {
			t.Errorf("%s: %v", what, !row.ok)
		}
	}
}
