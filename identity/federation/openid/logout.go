package openid

import (
	"context"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// logoutEvent is the event that a logout token tells of.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// Ended is whose sessions ended at the provider: those of a subject, one session,
// or one session of a subject.
type Ended struct {
	Subject, Session string
	// Answer is unique to this token, which can be used until Until.
	Answer string
	Until  time.Time
}

// logoutClaims are those of a logout token that an id_token does not have.
type logoutClaims struct {
	ID     string                    `json:"jti"`
	Events map[string]map[string]any `json:"events"`
}

// Logout judges a logout token (OIDC Back-Channel Logout §2.6). Errors:
// errs.InvalidRequest with code idp-logout-token.
func (c *Client) Logout(ctx context.Context, compact string) (out Ended, err error) {
	m, err := c.Metadata(ctx)
	if err != nil {
		return out, err
	}
	var (
		common Claims
		more   logoutClaims
	)
	typ, err := verify(ctx, c.Keys, m.Keys, compact, &common, &common.All, &more)
	if err != nil {
		return out, errLogout(err)
	}
	now := c.Clock.Now()
	_, event := more.Events[logoutEvent]
	_, nonce := common.All["nonce"]
	kind := typ == "" || strings.EqualFold(typ, "logout+jwt") || strings.EqualFold(typ, "JWT")
	switch {
	case !common.meant(c.Provider.Issuer, c.Provider.ClientID, now), !event, nonce, !kind:
		return out, errLogout(nil)
	case common.Subject == "" && common.Session == "", len(common.Subject) > maxSubject, more.ID == "":
		return out, errLogout(nil)
	case common.Expires != nil && !now.Before(common.Expires.Time()):
		return out, errLogout(nil)
	}
	return Ended{Subject: common.Subject, Session: common.Session, Answer: more.ID, Until: common.Issued.Time().Add(MaxAge + MaxSkew)}, nil
}

func errLogout(cause error) error {
	return errs.Wrap(cause, errs.InvalidRequest, "idp-logout-token", "The logout token cannot be accepted.")
}
