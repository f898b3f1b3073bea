package registration

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

// MaxInvitation is the longest life of an initial access token.
const MaxInvitation = 30 * 24 * time.Hour

// inviting is the issuer under which used tokens are remembered.
const inviting = "urn:mandate:initial-access-token"

// Invite makes an initial access token (RFC 7591 §1.2), good for one
// registration at the tenant until it ends. Nothing is stored but the event: the
// token carries its end and is sealed with the tenant's key. Errors: errs.Invalid
// with code invitation-life; errs.Unavailable.
func (s *Service) Invite(ctx context.Context, tenant string, life time.Duration, origin audit.Event) (token string, ends time.Time, err error) {
	if life <= 0 || life > MaxInvitation {
		return "", ends, errs.New(errs.Invalid, "invitation-life", "An initial access token lives for at most 30 days.")
	}
	h, err := s.Hasher(ctx, tenant)
	if err != nil {
		return "", ends, err
	}
	h = h.At(time.Time{})
	ends = s.Clock.Now().Add(life).Truncate(time.Second)
	body := h.Mark() + s.IDs.Secret() + "." + strconv.FormatInt(ends.Unix(), 10)
	token = body + "." + h.Hash("initial-access-token", tenant+" "+body)
	err = s.Tx.InTx(ctx, func(tx Tx) error {
		e := origin
		e.Tenant, e.Time, e.Kind, e.Action, e.Outcome, e.Reason = tenant, s.Clock.Now(), audit.ClientRegistered, "C", audit.Success, ReasonInvited
		return tx.AppendAudit(ctx, e)
	})
	return token, ends, err
}

// accept uses up an initial access token. Errors: errs.Unauthenticated with code
// initial-token, alike for wrong, ended and used ones.
func (s *Service) accept(ctx context.Context, tx Tx, tenant, token string) error {
	refused := errs.New(errs.Unauthenticated, "initial-token", "The initial access token is not valid: it is wrong, has ended or was used.")
	at := strings.LastIndexByte(token, '.')
	if at < 0 {
		return refused
	}
	body := token[:at]
	_, end, _ := strings.Cut(body, ".")
	unix, err := strconv.ParseInt(end, 10, 64)
	h, err2 := s.Hasher(ctx, tenant)
	if err2 != nil {
		return err2
	}
	ends := time.Unix(unix, 0)
	if err != nil || !equal(h.Of(body).Hash("initial-access-token", tenant+" "+body), token[at+1:]) || !s.Clock.Now().Before(ends) {
		return refused
	}
	// The mark of the key and the secret together name the token.
	err = tx.UseAssertion(ctx, tenant, inviting, body, ends)
	if errs.Is(err, errs.Conflict) {
		return refused
	}
	return err
}
