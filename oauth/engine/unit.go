package engine

import (
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
)

// unit is what one request works on: the rows that were read in front, and what
// was decided about them.
type unit struct {
	now    time.Time
	site   Site
	hasher ids.Hasher
	// client is the one that asks for a token, nil elsewhere.
	client *oauth.Client
	grant  oauth.Grant
	// standing is that of the grant where one is introspected or revoked, nil
	// elsewhere.
	standing *oauth.Standing

	// The rows read in front; zero where the request has none. replayed says
	// that the refresh token was used again after its grace, successor which one took
	// its place.
	code      oauth.Code
	refresh   oauth.RefreshToken
	replayed  bool
	successor string
	// access is the verified access token of an introspection or revocation.
	access *Claims

	// b2b is what the access token says of who asks.
	b2b *oauth.B2B
	// told is what is said of a proxy's access; decision is the id of the event
	// that holds what decided, "" where nothing did.
	told     oauth.Delegated
	decision string
	// decided are the Consents by which it was decided.
	decided []string

	// scopes and expires are those of the access token to be issued,
	// refreshEnds the end of the refresh token.
	scopes      string
	expires     time.Time
	refreshEnds time.Time
	// act and parents are those of a delegated access token.
	act     *oauth.Actor
	parents []Parent
	// confirmation is the key of the access token, holder that of the refresh
	// token.
	confirmation, holder oauth.Confirmation
}

// subject gives the sub of the tokens: the person, or the client itself.
func (u *unit) subject() string {
	if u.grant.PersonID != "" {
		return u.grant.PersonID
	}
	return u.client.ID
}

// words splits a scope string.
func words(scopes string) []string { return strings.Fields(scopes) }

// second cuts a time to whole seconds, the precision of tokens.
func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
