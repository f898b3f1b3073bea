package app

import (
	"context"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/access/preview"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/web"
	recordpages "github.com/mandate-health/mandate/web/pages/record"
)

// charted gives the pages of a record the use-cases with the record itself.
type charted struct {
	life *lifecycle.Service
	rec  preview.Record
}

// Own gives a kind of the own record.
func (c charted) Own(ctx context.Context, a lifecycle.Actor, kind string) (lifecycle.Chart, error) {
	return c.life.Own(ctx, a, kind, c.rec)
}

// ForHelper gives what a person who helps may copy.
func (c charted) ForHelper(ctx context.Context, a lifecycle.Actor, id, kind string) (lifecycle.Chart, error) {
	return c.life.ForHelper(ctx, a, id, kind, c.rec)
}

// Keep keeps an entry private.
func (c charted) Keep(ctx context.Context, a lifecycle.Actor, item fhir.Reference) error {
	return c.life.Keep(ctx, a, item, c.rec)
}

// Unkeep undoes it.
func (c charted) Unkeep(ctx context.Context, a lifecycle.Actor, item fhir.Reference) error {
	return c.life.Unkeep(ctx, a, item)
}

// recordPages are "My record" and the copies of it.
func (t *tenant) recordPages(life *lifecycle.Service) *recordpages.Handler {
	return recordpages.New(recordpages.Deps{
		Life: charted{life, t.record}, Patients: t.record, Once: t.store, Recorder: t.queue, Kit: t.kit, Session: t.session,
		Page: t.problem.HTML, RequestID: web.RequestID, Clock: t.clock, IDs: t.ids, Hasher: t.hasher,
	})
}
