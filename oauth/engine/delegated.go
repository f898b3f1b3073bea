package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// Parent is a token from which a delegated one was made: when it is revoked, or
// its client is, what was made from it dies too.
type Parent struct {
	ID       string `json:"jti"`
	ClientID string `json:"client_id"`
	Epoch    int64  `json:"epoch"`
}

// Acting is what is read about delegated tokens alone. Each method errs as in
// oauth.Store.
type Acting interface {
	Delegations(ctx context.Context, tenant, grantID string) ([]oauth.Delegation, error)
	TokenRevoked(ctx context.Context, tenant, jti string) (bool, error)
}

// Parents gives what a token made from this one names: the first is always a
// token of the client to which the grant was given.
func (c Claims) Parents() []Parent {
	return append(slices.Clone(c.parents), Parent{ID: c.TokenID, ClientID: c.ClientID, Epoch: c.Client.Epoch})
}

// Holder is the client in whose hands the token is: who acts, or the client that
// it was issued to.
func (c Claims) Holder() string {
	if c.Act != nil {
		return c.Act.Subject
	}
	return c.ClientID
}

// Standing is that of the grant, with the client to which it was given.
func (c Claims) Standing() oauth.Standing {
	if c.standing == nil {
		return oauth.Standing{}
	}
	return *c.standing
}

// Acted is what audit events say about the chain of a delegated token: the
// actors, the newest first, and behind them the app; nil for any other.
func (c Claims) Acted() map[string]string {
	if c.Act == nil {
		return nil
	}
	return ActDetail(c.Act, c.Grant)
}

// ActDetail is Acted for a token that is being made.
func ActDetail(act *oauth.Actor, g oauth.Grant) map[string]string {
	return map[string]string{"act": strings.Join(append(act.Chain(), g.ClientID), " ")}
}

// ref is what is asked about the token and its grant. That of a delegated token
// belongs to the client of its first parent.
func (c accessClaims) ref() oauth.TokenRef {
	r := oauth.TokenRef{ID: c.ID, ClientID: c.ClientID, GrantID: c.Grant}
	if c.Act != nil && len(c.Parents) > 0 {
		r.ClientID = c.Parents[0].ClientID
	}
	return r
}

// acting judges what stands behind a delegated token beside its grant: every
// token from which it was made, and that the person lets each actor act. It gives
// the client to which the token was issued.
func (v *Verifier) acting(ctx context.Context, tenant string, c accessClaims, st oauth.Standing) (oauth.Client, error) {
	if v.Acting == nil || len(c.Parents) == 0 || c.Parents[0].ClientID != st.Grant.ClientID {
		return oauth.Client{}, errs.New(errs.Unauthenticated, "token-invalid", "The token is not valid: it is not known for whom it acts.")
	}
	for _, p := range c.Parents {
		if err := v.parent(ctx, tenant, p); err != nil {
			return oauth.Client{}, err
		}
	}
	all, err := v.Acting.Delegations(ctx, tenant, c.Grant)
	if err != nil {
		return oauth.Client{}, err
	}
	for _, actor := range c.Act.Chain() {
		if !slices.ContainsFunc(all, func(d oauth.Delegation) bool { return d.ClientID == actor && d.Ended.IsZero() }) {
			return oauth.Client{}, errRevoked("who acts with it may not any more")
		}
	}
	return v.Reader.ClientByID(ctx, tenant, c.ClientID)
}

func (v *Verifier) parent(ctx context.Context, tenant string, p Parent) error {
	listed, err := v.Acting.TokenRevoked(ctx, tenant, p.ID)
	if err != nil {
		return err
	}
	client, err := v.Reader.ClientByID(ctx, tenant, p.ClientID)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	if listed || err != nil || client.Disabled || client.Epoch != p.Epoch {
		return errRevoked("what it was made from was revoked")
	}
	return nil
}
