package app

import (
	"context"
	"slices"
	"strconv"

	"github.com/mandate-health/mandate/internal/errs"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/store"
)

// demoAccounts counts the accounts of the demonstration that are open: everybody knows
// their passwords (TR-51). Errors: errs.Unavailable.
func demoAccounts(ctx context.Context, st *store.Store) (open int, err error) {
	for i, p := range slices.Concat(demoPeople(), family()) {
		person, err := st.PersonByID(ctx, tenants.Default, "demo-"+p.username)
		if errs.Is(err, errs.NotFound) && i == 0 {
			return 0, nil // that one is made first
		}
		if errs.Is(err, errs.NotFound) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if !person.Disabled {
			open++
		}
	}
	return open, nil
}

// refuseDemo keeps a store that mandate dev has filled out of production. Errors:
// errs.Conflict with code demo-accounts; errs.Unavailable.
func (a *App) refuseDemo(ctx context.Context) error {
	if a.cfg.Dev {
		return nil
	}
	open, err := demoAccounts(ctx, a.store)
	if err != nil || open == 0 {
		return err
	}
	if a.cfg.DemoAccounts {
		a.log.WarnContext(ctx, "UNSAFE: this store has accounts of the demonstration, whose passwords everybody knows (unsafe_demo_accounts)", "count", open)
		return nil
	}
	return errs.New(errs.Conflict, "demo-accounts", "This store has "+strconv.Itoa(open)+
		" accounts of the demonstration, whose passwords everybody knows. Begin with an empty data folder or database. To serve it nevertheless: --unsafe-demo-accounts.")
}
