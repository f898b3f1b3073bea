package engine

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
)

// TokenInput is a token request whose client is authenticated, whose rows
// were read and whose scopes were decided.
type TokenInput struct {
	Site   Site
	Client oauth.Client
	// Form is the strictly parsed body.
	Form url.Values
	Now  time.Time
	// Grant is zero for client_credentials. Code or Refresh is the row that
	// the request names.
	Grant   oauth.Grant
	Code    oauth.Code
	Refresh oauth.RefreshToken
	// Replayed says that the refresh token was used again after its grace.
	// Successor is the one that took its place, which is asked for again (SMART
	// REF-09).
	Replayed  bool
	Successor string
	// Scopes and Expires are those of the access token; RefreshEnds is the
	// end of the next refresh token.
	Scopes      string
	Expires     time.Time
	RefreshEnds time.Time
	// Direct is set for a grant type that judged everything itself.
	Direct *Direct
	// Confirmation is the key that the client proved, to which the access token
	// is bound, and for a public client the refresh token too: it has nothing
	// else to prove itself by (RFC 9449 §5).
	Confirmation oauth.Confirmation
	// B2B is who asks, and for what purpose; the access token carries it.
	B2B *oauth.B2B
	// Told is what the access token says of a proxy's access, zero for any other.
	Told oauth.Delegated
}

// Issued is what a token request yields. Nothing of it may leave before
// Writes was applied.
type Issued struct {
	AccessToken  string
	TokenID      string
	RefreshToken string
	IDToken      string
	Writes       Writes
}

// Token judges what the request presents, by its grant type, and issues. It
// writes nothing. On a replay it returns the error together with the Writes that
// end the grant; they must be committed although the request is refused (SMART
// AZ-16, REF-08). Errors: those of RFC 6749 §5.2 and errs.Unavailable.
func (e *Engine) Token(ctx context.Context, in TokenInput) (Issued, error) {
	hasher, err := e.Ring.Hasher(ctx, in.Site.Tenant)
	if err != nil {
		return Issued{}, err
	}
	client := in.Client
	u := &unit{
		now: in.Now, site: in.Site, hasher: hasher, client: &client, grant: in.Grant,
		code: in.Code, refresh: in.Refresh, replayed: in.Replayed, successor: in.Successor,
		scopes: in.Scopes, expires: second(in.Expires), refreshEnds: in.RefreshEnds,
		confirmation: in.Confirmation, b2b: in.B2B, told: in.Told,
	}
	if !in.Client.Confidential() {
		u.holder = in.Confirmation
	}
	if in.Direct != nil {
		return e.direct(ctx, u, *in.Direct)
	}
	switch in.Form.Get("grant_type") {
	case "authorization_code":
		return e.redeem(ctx, u, in.Form)
	case "refresh_token":
		return e.rotate(ctx, u, in.Form.Get("refresh_token"))
	case "client_credentials":
		if !in.Client.ForItself() {
			return Issued{}, errNotForIt()
		}
		return e.issue(ctx, u)
	default:
		return Issued{}, errs.New(errs.UnsupportedGrantType, "grant-type-unsupported", "This grant type is not offered.")
	}
}

// redeem answers for a code (RFC 6749 §4.1.3, RFC 7636 §4.6): known, this
// client's, unused, in time, with its redirect_uri and its verifier.
func (e *Engine) redeem(ctx context.Context, u *unit, form url.Values) (Issued, error) {
	hash := CodeHash(u.hasher, form.Get("code"))
	switch {
	case u.client.ForItself():
		return Issued{}, errNotForIt()
	case u.code.Hash == "" || !ids.Equal(hash, u.code.Hash) || u.code.ClientID != u.client.ID || u.code.GrantID != u.grant.ID:
		return Issued{}, errCode("code-unknown", "it is not known")
	case !u.code.Used.IsZero():
		return u.replay(errReplayedCode())
	case !u.now.Before(u.code.Expires):
		return Issued{}, errCode("code-expired", "it has expired")
	case form.Get("redirect_uri") != u.code.RedirectURI:
		return Issued{}, errs.New(errs.InvalidGrant, "redirect-uri-mismatch", "redirect_uri is not that of the authorization request.")
	case !proven(u.code.Challenge, form.Get("code_verifier")):
		return Issued{}, errs.New(errs.InvalidGrant, "verifier-mismatch", "code_verifier does not fit the code_challenge.")
	}
	out, err := e.issue(ctx, u)
	if err != nil {
		return Issued{}, err
	}
	out.Writes.UseCode = &u.code
	return e.forPerson(ctx, u, out)
}

// forPerson adds what an app gets at which the person answered: a refresh token
// where the grant is kept, an id_token where openid is granted.
func (e *Engine) forPerson(ctx context.Context, u *unit, out Issued) (_ Issued, err error) {
	if u.renewable() {
		out.RefreshToken = e.firstRefresh(u.hasher, u.grant.ID)
		out.Writes.Refresh = u.rotation("", out.RefreshToken)
	}
	if slices.Contains(words(u.scopes), "openid") {
		out.IDToken, err = e.idToken(ctx, u, out.AccessToken)
	}
	return out, err
}

// proven reports whether the verifier is that of an S256 challenge (RFC 7636
// §4.6). Without a challenge nothing is.
func proven(challenge, verifier string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return challenge != "" && ids.Equal(base64.RawURLEncoding.EncodeToString(sum[:]), challenge)
}

// rotate answers for a refresh token (RFC 6749 §6): known, this client's, not
// used again and in time. Its successor takes its place.
func (e *Engine) rotate(ctx context.Context, u *unit, presented string) (Issued, error) {
	hash := u.refresh.Hash
	switch {
	case hash == "" || !ids.Equal(hash, RefreshHash(u.hasher, presented)) || u.refresh.ClientID != u.client.ID || u.refresh.GrantID != u.grant.ID:
		return Issued{}, errRefresh("refresh-unknown", "it is not known")
	case u.replayed || !u.refresh.Rotated.IsZero() && u.successor == "":
		return u.replay(errReplayedRefresh())
	case !u.now.Before(u.refresh.Expires):
		return Issued{}, errRefresh("refresh-expired", "it has expired")
	case !u.renewable():
		return Issued{}, errNotForIt()
	}
	out, err := e.issue(ctx, u)
	if err != nil {
		return Issued{}, err
	}
	if out.RefreshToken = u.successor; u.refresh.Rotated.IsZero() && u.keeps(presented) {
		out.RefreshToken = presented
		out.Writes.Refresh = u.rotation(hash, presented)
	} else if u.refresh.Rotated.IsZero() {
		out.RefreshToken = successor(u.hasher, u.grant.ID, presented, u.now, !e.unnamed())
		out.Writes.Refresh = u.rotation(hash, out.RefreshToken)
	}
	if u.client.RefreshIDToken && slices.Contains(words(u.scopes), "openid") {
		out.IDToken, err = e.idToken(ctx, u, out.AccessToken)
	}
	return out, err
}

// keeps reports whether a refresh gives the same refresh token again, as FAPI 2.0
// §5.3.2.1 wants of clients that prove themselves: nobody else can use it. One
// under an older hash key is rotated, so that the key can go.
func (u *unit) keeps(presented string) bool {
	return u.client.FAPI2() && u.client.Constrained() && ReadRefresh(u.hasher, presented).GrantID != "" &&
		ids.Mark(presented) == u.hasher.At(time.Time{}).Mark()
}

// renewable reports whether the grant gives refresh tokens.
func (u *unit) renewable() bool { return !u.client.ForItself() && (u.grant.Offline || u.grant.Online) }

// rotation puts a new refresh token, of ours, in the place of the one with a hash.
func (u *unit) rotation(from, token string) *oauth.Rotation {
	held := u.holder
	if from != "" && !u.refresh.Issued.IsZero() {
		// It was read and not only believed, so what it is bound to is known.
		held = u.refresh.Confirmation
	}
	return &oauth.Rotation{
		Tenant: u.site.Tenant, GrantID: u.grant.ID, ClientID: u.client.ID, From: from, To: RefreshHash(u.hasher, token),
		Named: names(token), At: u.now, Expires: u.refreshEnds, Confirmation: held,
	}
}

// replay refuses what was used before, and ends the grant.
func (u *unit) replay(cause *errs.Error) (Issued, error) {
	return Issued{Writes: Writes{RevokeGrant: u.grant.ID, Reason: cause.Code}}, cause
}
