//go:build mutation

package engine

import (
	"context"
	"sync/atomic"

	"github.com/mandate-health/mandate/oauth"
)

// unheld takes a token from whoever shows it. It exists in mutation builds only,
// so that a proof can show that it would notice.
var unheld atomic.Bool

func (v *Verifier) held(ctx context.Context, tenant string, c Claims, p oauth.Presentation) (nonce string, err error) {
	if unheld.Load() {
		return "", nil
	}
	return v.proven(ctx, tenant, c, p)
}

// WithoutSenderConstraint takes every token as if it were bound to nothing, until
// restore is called. It exists in mutation builds only.
func WithoutSenderConstraint() (restore func()) {
	unheld.Store(true)
	return func() { unheld.Store(false) }
}
