package store

import (
	"context"
	"strconv"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth/appstate"
)

const appStateColumns = `tenant, id, version, code, subject, client_id, json, updated`

func appStatePlace(v appstate.State) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "app_state", Column: "json", Row: v.ID + "/" + strconv.Itoa(v.Version), Subject: v.Patient()}
}

func scanAppState(r Row) (v appstate.State, err error) {
	err = r.Scan(&v.Tenant, &v.ID, &v.Version, &v.Code, &v.Subject, &v.ClientID, &v.JSON, into(&v.Updated))
	return v, err
}

// AppState implements appstate.Store.
func (p *ports) AppState(ctx context.Context, tenant, id string) (appstate.State, error) {
	v, err := one(ctx, p, "app-state", scanAppState, `SELECT `+appStateColumns+` FROM app_state WHERE tenant = $1 AND id = $2`, tenant, id)
	if err == nil {
		v.JSON, err = p.open(ctx, appStatePlace(v), v.JSON)
	}
	return v, err
}

// AppStates implements appstate.Store.
func (p *ports) AppStates(ctx context.Context, tenant, code, subject string) ([]appstate.State, error) {
	all, err := list(ctx, p, scanAppState, `SELECT `+appStateColumns+` FROM app_state
		WHERE tenant = $1 AND subject = $2 AND code = $3 ORDER BY id`, tenant, subject, code)
	for i := range all {
		if all[i].JSON, err = p.open(ctx, appStatePlace(all[i]), all[i].JSON); err != nil {
			return nil, err
		}
	}
	return all, err
}

// PutAppState implements appstate.Store.
func (p *ports) PutAppState(ctx context.Context, v appstate.State, ifVersion int) error {
	sealed, err := p.seal(ctx, appStatePlace(v), v.JSON)
	if err != nil {
		return err
	}
	if ifVersion == 0 {
		return appStateWon(p.add(ctx, "tenant, id", `INSERT INTO app_state (`+appStateColumns+`, patient)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			v.Tenant, v.ID, v.Version, v.Code, v.Subject, v.ClientID, sealed, micros(v.Updated), v.Patient()))
	}
	return appStateWon(p.won(ctx, `UPDATE app_state SET version = $3, client_id = $4, json = $5, updated = $6
		WHERE tenant = $1 AND id = $2 AND version = $7 AND code = $8 AND subject = $9`,
		v.Tenant, v.ID, v.Version, v.ClientID, sealed, micros(v.Updated), ifVersion, v.Code, v.Subject))
}

// DeleteAppState implements appstate.Store.
func (p *ports) DeleteAppState(ctx context.Context, tenant, id string, version int) error {
	return appStateWon(p.won(ctx, `DELETE FROM app_state WHERE tenant = $1 AND id = $2 AND version = $3`, tenant, id, version))
}

func appStateWon(won bool, err error) error {
	if err == nil && !won {
		return errs.New(errs.PreconditionFailed, "app-state-changed", "The state was changed in the meantime.")
	}
	return err
}
