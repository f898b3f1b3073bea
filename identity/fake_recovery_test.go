package identity_test

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

func (t memTx) recovery(fits func(identity.Recovery) bool) (identity.Recovery, error) {
	for _, r := range t.recoveries {
		if fits(r) {
			return r, nil
		}
	}
	return identity.Recovery{}, missing
}

func (t memTx) RecoveryByHash(_ context.Context, tenant, hash string) (identity.Recovery, error) {
	return t.recovery(func(r identity.Recovery) bool { return r.Tenant == tenant && r.Hash == hash })
}

func (t memTx) RecoveryByID(_ context.Context, tenant, id string) (identity.Recovery, error) {
	return t.recovery(func(r identity.Recovery) bool { return r.Tenant == tenant && r.ID == id })
}

func (t memTx) RecoveriesOpen(_ context.Context, _ string, now time.Time, _ int) (out []identity.Recovery, _ error) {
	for _, r := range t.recoveries {
		if r.Live(now) {
			out = append(out, r)
		}
	}
	return out, nil
}

func (t memTx) PutRecovery(_ context.Context, r identity.Recovery, ifVersion int) error {
	if t.recoveries[r.ID].Version != ifVersion {
		return errs.New(errs.PreconditionFailed, "version-changed", "changed")
	}
	r.Version = ifVersion + 1
	t.recoveries[r.ID] = r
	return nil
}

func (t memTx) SaveChoices(_ context.Context, p identity.Person) error {
	stored := t.people[p.ID]
	stored.Language, stored.Look, stored.Travels = p.Language, p.Look, p.Travels
	t.people[p.ID] = stored
	return nil
}

func (t memTx) SaveHighRisk(_ context.Context, _, id string, on bool) error {
	stored := t.people[id]
	stored.HighRisk = on
	t.people[id] = stored
	return nil
}
