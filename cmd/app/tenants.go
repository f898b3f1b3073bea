package app

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/internal/watch"
	"github.com/mandate-health/mandate/oauth/engine"
	"github.com/mandate-health/mandate/web"
)

// A running process looks at the tenants although nobody told it of a change every
// tenantRetry, because one whose parts could not be built is tried again; and
// every tenantPoll where the feed does not run, because nothing is kept in memory.
const (
	tenantRetry = time.Minute
	tenantPoll  = 3 * time.Second
)

// tenantNews wakes who follows the tenants.
type tenantNews chan struct{}

// tell takes a change of the feed; it never waits.
func (n tenantNews) tell(c watch.Change) {
	if c.Kind != watch.Tenant && c.Kind != "" {
		return
	}
	select {
	case n <- struct{}{}:
	default:
	}
}

// maxTenantDelay bounds, in seconds, how long a change of tenants takes to reach
// every running process.
const maxTenantDelay = 5

// tenant gives a tenant that is served here, nil for any other.
func (a *App) tenant(id string) *tenant {
	if id == tenants.Default {
		return a.home
	}
	if others := a.others.Load(); others != nil {
		return (*others)[id]
	}
	return nil
}

// served gives the tenants of the store that are served here, by id.
func (a *App) served() []*tenant {
	others := a.others.Load()
	if others == nil {
		return nil
	}
	return slices.SortedFunc(maps.Values(*others), func(x, y *tenant) int { return strings.Compare(x.id, y.id) })
}

// Site gives the site of a tenant that is served (engine.Sites).
func (a *App) Site(_ context.Context, id string) (engine.Site, error) {
	if t := a.tenant(id); t != nil {
		return t.site, nil
	}
	return engine.Site{}, errTenantUnknown
}

var errTenantUnknown = errs.New(errs.NotFound, "tenant-unknown", "There is no such tenant.")

// handler answers for all tenants.
func (a *App) handler() http.Handler {
	return web.Tenants{Home: a.home.handler, HomeID: a.home.id, Of: func(id string) http.Handler {
		if t := a.tenant(id); t != nil {
			return t.handler
		}
		return nil
	}}
}

// loadTenants makes the process serve the tenants of the store. A tenant that
// cannot be built is told in the log and must not take the others with it; what
// was built before stays as long as its row does. Errors: errs.Unavailable.
func (a *App) loadTenants(ctx context.Context) error {
	rows, err := a.store.Tenants(ctx)
	if err != nil {
		return err
	}
	next := map[string]*tenant{}
	for _, row := range rows {
		if row.State != tenants.Active || row.ID == tenants.Default {
			continue
		}
		if t := a.tenant(row.ID); t != nil && t.row == row {
			next[row.ID] = t
			continue
		}
		t, err := a.newTenant(ctx, row)
		if err != nil {
			a.log.ErrorContext(ctx, "tenant not served", "tenant", row.ID, "err", err)
			continue
		}
		a.log.InfoContext(ctx, "tenant served", "tenant", row.ID, "fhir_base", t.site.FHIRBase)
		next[row.ID] = t
	}
	a.others.Store(&next)
	return nil
}

// followTenants keeps up with the store, as the feed tells of changes, until ctx
// ends. While the store cannot be read the tenants stay as they are.
func (a *App) followTenants(ctx context.Context) {
	every := tenantRetry
	if a.cfg.Staleness <= 0 {
		every = tenantPoll
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	// What changed after the tenants were built and before the feed began.
	time.AfterFunc(tenantPoll, func() { a.tenantNews.tell(watch.Change{}) })
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-a.tenantNews:
		}
		if err := a.loadTenants(ctx); err != nil && ctx.Err() == nil {
			a.log.ErrorContext(ctx, "tenants not read", "err", err)
			time.AfterFunc(retryKeys, func() { a.tenantNews.tell(watch.Change{}) })
		}
	}
}

// openTenant makes ready the keys of a tenant for a command, disabled ones
// included. Errors: errs.NotFound; errs.Unavailable; those of the key provider.
func (a *App) openTenant(ctx context.Context, id string) error {
	rows, err := a.store.Tenants(ctx)
	if err != nil {
		return err
	}
	known := func(t tenants.Tenant) bool { return t.ID == id && t.State != tenants.Deleted }
	if id != tenants.Default && !slices.ContainsFunc(rows, known) {
		return errTenantUnknown
	}
	return a.store.OpenKeys(ctx, id)
}

// tenantHasher gives the keyed hash of a tenant for a command. Errors: as for
// openTenant.
func (a *App) tenantHasher(ctx context.Context, id string) (ids.Hasher, error) {
	if err := a.openTenant(ctx, id); err != nil {
		return ids.Hasher{}, err
	}
	return a.ring.Hasher(ctx, id)
}
