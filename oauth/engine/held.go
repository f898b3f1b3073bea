//go:build !mutation

package engine

import (
	"context"

	"github.com/mandate-health/mandate/oauth"
)

// held asks that a token is in the hands of whom it is bound to.
func (v *Verifier) held(ctx context.Context, tenant string, c Claims, p oauth.Presentation) (nonce string, err error) {
	return v.proven(ctx, tenant, c, p)
}
