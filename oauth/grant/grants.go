package grant

import (
	"context"
	"net/url"
	"slices"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine"
)

// types lists the grant types that are offered.
func types(d Deps) []Type {
	return []Type{
		authorizationCode{},
		refreshToken{},
		clientCredentials{},
		tokenExchange{d.Engine.Tokens()},
		deviceCode{d.Devices},
	}
}

// Names gives the grant_type values that are offered but for those that are off,
// for the discovery documents.
func Names(off ...string) []string {
	var names []string
	for _, t := range types(Deps{}) {
		if !slices.Contains(off, t.Name()) {
			names = append(names, t.Name())
		}
	}
	return names
}

// The grant types that can be switched off.
const (
	Exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	Device   = "urn:ietf:params:oauth:grant-type:device_code"
)

// Type is one grant type.
type Type interface {
	// Name is the value of grant_type.
	Name() string
	// Fill reads what the request names and judges its own parameters.
	// Errors: those of RFC 6749 §5.2; errs.Unavailable.
	Fill(ctx context.Context, in Asked) (Blanks, error)
}

// Asked is what a grant type is told.
type Asked struct {
	Site   engine.Site
	Client oauth.Client
	Form   url.Values
	Now    time.Time
	Hasher ids.Hasher
	Reader engine.Reader
	// Certain asks the store itself, because what was taken for granted turned
	// out to be wrong.
	Certain bool
	// Confirmation is the key that the client proved, zero without one.
	Confirmation oauth.Confirmation
	// B2B reads who asks, and for what purpose, from a client that is known by
	// its certificate; nil for any other. Errors: errs.InvalidGrant.
	B2B func() (*oauth.B2B, error)
}

// Blanks is what a grant type fills in.
type Blanks struct {
	// Grant is zero for a client that acts for itself, Standing tells whether
	// it still stands. Code or Refresh is the row that the request names.
	Grant    oauth.Grant
	Standing oauth.Standing
	Code     oauth.Code
	Refresh  oauth.RefreshToken
	// Replayed says that the refresh token was used again. Successor is the one
	// that took its place, when its answer may have been lost.
	Replayed  bool
	Successor string
	// Scopes are those asked for, all covered by the grant or the client's
	// registration.
	Scopes string
	// Explained says what became of the other scopes that were asked for.
	Explained []access.Explanation
	// Renews says that the request may move the grant's end (US-02).
	Renews bool
	// Until bounds the access token besides; zero does not.
	Until time.Time
	// Direct is set by a grant type that judges everything itself.
	Direct *engine.Direct
	// TokenType is told as issued_token_type (RFC 8693 §2.2.1).
	TokenType string
	// Also is what the grant type writes in the one commit of the answer; it may
	// be called again.
	Also func(ctx context.Context, tx oauth.Tx) error
	// B2B is who asks, and for what purpose, where the client had to say so.
	B2B *oauth.B2B
}
