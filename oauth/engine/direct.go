package engine

import (
	"context"

	"github.com/mandate-health/mandate/oauth"
)

// Direct is what a grant type that judges everything itself gives out: always an
// access token, and beside it what is said here.
type Direct struct {
	// Person gives the tokens that go to an app at which the person answered: a
	// refresh token where the grant is kept, an id_token where openid is granted.
	Person bool
	// Act and Parents make the access token a delegated one.
	Act     *oauth.Actor
	Parents []Parent
}

// direct issues. What is collected is committed by the caller, as for every other
// grant type.
func (e *Engine) direct(ctx context.Context, u *unit, d Direct) (Issued, error) {
	u.act, u.parents = d.Act, d.Parents
	out, err := e.issue(ctx, u)
	if err != nil || !d.Person {
		return out, err
	}
	return e.forPerson(ctx, u, out)
}
