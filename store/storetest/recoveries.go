package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

// recovery is a way back that has begun.
func recovery() identity.Recovery {
	return identity.Recovery{
		Tenant: tenant, ID: "r1", Version: 1, Hash: "h1", PersonID: "p-rosa", State: identity.RecoveryProving, Ends: noon().Add(time.Hour),
		Created: noon(), Proofs: []identity.RecoveryProof{{Kind: identity.ProofContact, At: noon()}}, Strange: true,
	}
}

// recoveries: a way back into an account is found by the secret of its browser and
// by its id, staff see those that are open, and two writers never both win (SM-22).
func recoveries(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := recovery()
	must(t, s.PutRecovery(ctx, r, 0))
	fails(t, s.PutRecovery(ctx, r, 0), errs.Conflict)
	equal(t, got(s.RecoveryByHash(ctx, tenant, "h1"))(t), r)
	equal(t, got(s.RecoveryByID(ctx, tenant, "r1"))(t), r)
	equal(t, got(s.RecoveriesOpen(ctx, tenant, noon(), 5))(t), []identity.Recovery{r})
	equal(t, len(got(s.RecoveriesOpen(ctx, tenant, noon().Add(time.Hour), 5))(t)), 0)
	equal(t, len(got(s.RecoveriesOpen(ctx, other, noon(), 5))(t)), 0)
	_, err := s.RecoveryByHash(ctx, other, "h1")
	fails(t, err, errs.NotFound)
	_, err = s.RecoveryByID(ctx, other, "r1")
	fails(t, err, errs.NotFound)

	next := r
	next.Version, next.State, next.Needs, next.Ready = 2, identity.RecoveryWaiting, 2, noon().Add(time.Minute)
	next.Reviews = []identity.RecoveryReview{{By: "p-osei", At: noon(), Reason: "seen"}}
	must(t, s.PutRecovery(ctx, next, 1))
	fails(t, s.PutRecovery(ctx, next, 1), errs.PreconditionFailed)
	equal(t, got(s.RecoveryByID(ctx, tenant, "r1"))(t), next)
	next.Version, next.State = 3, identity.RecoveryDone
	must(t, s.PutRecovery(ctx, next, 2))
	equal(t, len(got(s.RecoveriesOpen(ctx, tenant, noon(), 5))(t)), 0)
}
