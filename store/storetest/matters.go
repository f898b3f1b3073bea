package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/access/matter"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/law"
	"github.com/mandate-health/mandate/store"
)

// matters: what is to be decided is found by its day, and two who decide at once
// never both win.
func matters(t *testing.T, s *store.Store) {
	ctx := t.Context()
	late := matter.Begin(matter.Review, tenant, "m1", "rosa", "p-ann", noon(), 10, time.UTC, "c1")
	late.Version, late.Ground = 1, "171.201"
	soon := matter.Begin(matter.Dispute, tenant, "m2", "rosa", "p-hale", noon(), 10, time.UTC, "c1", "c2")
	soon.Version, soon.Due = 1, noon()
	for _, m := range []matter.Matter{late, soon} {
		must(t, s.PutMatter(ctx, m, 0))
		fails(t, s.PutMatter(ctx, m, 0), errs.Conflict)
	}
	equal(t, got(s.MatterByID(ctx, tenant, "m1"))(t), late)
	equal(t, got(s.MattersOpen(ctx, tenant, 5))(t), []matter.Matter{soon, late})
	equal(t, got(s.MattersOpen(ctx, tenant, 1))(t), []matter.Matter{soon})
	equal(t, len(got(s.MattersOpen(ctx, other, 5))(t)), 0)
	asked := matter.Begin(matter.Joint, tenant, "m3", "noah", "p-ann", noon(), 10, time.UTC, "c1").Ask("schedule", matter.Approval{Case: "c1", By: "p-ann", At: noon()})
	asked.Version = 1
	must(t, s.PutMatter(ctx, asked, 0))
	equal(t, got(s.MattersOf(ctx, tenant, "noah"))(t), []matter.Matter{asked})
	equal(t, got(s.MattersOf(ctx, tenant, "rosa"))(t), []matter.Matter{soon, late})
	equal(t, len(got(s.MattersOf(ctx, other, "noah"))(t)), 0)
	asked = asked.Lapse(noon())
	asked.Version = 2
	must(t, s.PutMatter(ctx, asked, 1))
	equal(t, len(got(s.MattersOf(ctx, tenant, "noah"))(t)), 0)
	equal(t, len(got(s.MattersDue(ctx, tenant, noon(), 5))(t)), 0)
	equal(t, got(s.MattersDue(ctx, tenant, noon().Add(time.Second), 5))(t), []matter.Matter{soon})
	soon.Warned, soon.Version = true, 2
	must(t, s.PutMatter(ctx, soon, 1))
	equal(t, len(got(s.MattersDue(ctx, tenant, noon().Add(time.Second), 5))(t)), 0)
	done, err := late.Decide(matter.Lifted, "", "p-osei", noon(), &law.Law{})
	must(t, err)
	done.Version = 2
	must(t, s.PutMatter(ctx, done, 1))
	fails(t, s.PutMatter(ctx, done, 1), errs.PreconditionFailed)
	equal(t, got(s.MattersOpen(ctx, tenant, 5))(t), []matter.Matter{soon})
	_, err = s.MatterByID(ctx, other, "m1")
	fails(t, err, errs.NotFound)
}
