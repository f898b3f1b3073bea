package app

import (
	"context"
	"fmt"

	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/internal/keys"
)

// keySums are the keys in use, by kind: the age of the oldest in seconds, and
// how many are overdue.
type keySums struct{ ages, overdue map[string]float64 }

// keySums reads them for the metrics.
func (a *App) keySums(ctx context.Context) (keySums, error) {
	out := keySums{ages: map[string]float64{}, overdue: map[string]float64{}}
	now := a.clock.Now()
	items, err := a.inventory().Items(ctx, now)
	for _, i := range items {
		if i.State != "active" {
			continue
		}
		if !i.Created.IsZero() {
			out.ages[i.Kind] = max(out.ages[i.Kind], i.Age(now).Seconds())
		}
		out.overdue[i.Kind] += number(i.Overdue(now))
	}
	return out, err
}

// keyAges looks, for each kind, for keys that should have been replaced (SE-03).

func (d *doctor) keyAges() []health.Check {
	var checks []health.Check
	for _, kind := range keys.Kinds() {
		checks = append(checks, health.Check{
			ID: "keys-overdue-" + kind, Looks: "whether a key of the kind " + kind + " should have been replaced", Remedy: "mandate keys rotate " + kind,
			Look: func(ctx context.Context) health.Finding { return d.overdue(ctx, kind) },
		})
	}
	return d.onStore(checks)
}

func (d *doctor) overdue(ctx context.Context, kind string) health.Finding {
	if d.provider == nil {
		return health.Unseen("the key provider could not be opened")
	}
	now := d.clock.Now()
	items, err := keys.Inventory{Provider: d.provider, Vault: d.st, Signing: d.st, More: logKeyItems(d.st)}.Items(ctx, now)
	if err != nil {
		return health.Unseen("the keys cannot be read")
	}
	active, overdue, oldest := 0, "", 0.0
	for _, i := range items {
		if i.Kind != kind || i.State != "active" {
			continue
		}
		active++
		if i.Created.IsZero() {
			return health.Note("the key provider does not tell the age")
		}
		oldest = max(oldest, i.Age(now).Hours()/24)
		if i.Overdue(now) && overdue == "" {
			overdue = fmt.Sprintf(", tenant %s since %s", orDash(i.Tenant), i.Due.UTC().Format("2006-01-02"))
		}
	}
	return health.Want(overdue == "", "%d in use, the oldest of %d days%s", active, int(oldest), overdue)
}
