package app

import (
	"github.com/mandate-health/mandate/oauth/appstate"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/web/route"
)

// appStatePath is the base of app state, below a tenant's issuer.
const appStatePath = "/app-state"

// appStateRoutes is where apps keep state of their own, none while that is
// switched off.
func (t *tenant) appStateRoutes() []route.Route {
	if !t.cfg.AppState {
		return nil
	}
	h := t.gateway().AppState(t.site.Issuer+appStatePath, &appstate.Service{
		Read: t.store, Tx: on(t.store, func(tx store.Tx) appstate.Tx { return tx }), Validator: t.codec, Clock: t.clock, IDs: t.ids,
	})
	var out []route.Route
	for path, methods := range map[string][]string{
		appStatePath + "/" + appstate.Type:           {"GET", "POST"},
		appStatePath + "/" + appstate.Type + "/{id}": {"PUT", "DELETE"},
	} {
		for _, m := range methods {
			out = append(out, route.Route{
				Method: m, Path: path, Auth: route.Bearer, Scopes: "patient/Basic or user/Basic", PHI: route.Record, Limit: "fhir",
				Owner: "web/gateway", Handler: h,
			})
		}
		out = append(out, route.Route{
			Method: "OPTIONS", Path: path, Auth: route.None, PHI: route.NoPHI, Limit: "fhir", Owner: "web/gateway", Reason: "CORS preflight", Handler: h,
		})
	}
	return out
}
