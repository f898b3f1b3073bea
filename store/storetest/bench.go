package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// Bench measures the store's part of a token request from 16 callers per
// processor: the client read, then replay guard, refresh token and audit event
// in one transaction.
func Bench(b *testing.B, s *store.Store) {
	ctx := b.Context()
	if err := s.PutClient(ctx, app()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(loop *testing.PB) {
		for loop.Next() {
			if _, err := s.ClientByID(ctx, tenant, "app"); err != nil {
				b.Error(err)
				return
			}
			id := ids.Source{}.ID()
			err := s.InTx(ctx, func(tx store.Tx) error {
				if err := tx.UseAssertion(ctx, tenant, "app", id, noon().Add(time.Hour)); err != nil {
					return err
				}
				err := rotate(ctx, tx, oauth.Rotation{Tenant: tenant, To: id, GrantID: id, ClientID: "app", Named: true})
				if err != nil {
					return err
				}
				return tx.AppendAudit(ctx, event("", noon()))
			})
			if err != nil && !errs.Is(err, errs.Conflict) {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
}
