package storetest

import (
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/appstate"
	"github.com/mandate-health/mandate/store"
)

// APS-04, APS-06: a state is found by code and subject, comes back whole, and is
// changed by who saw it last.
func appStates(t *testing.T, s *store.Store) {
	ctx := t.Context()
	const code = "https://app.example|prefs"
	about := appstate.State{Tenant: tenant, ID: "s1", Version: 1, Code: code, Subject: "Patient/rosa", ClientID: "app", JSON: []byte(`{"a":1}`), Updated: noon()}
	global := appstate.State{Tenant: tenant, ID: "s2", Version: 1, Code: code, ClientID: "app", JSON: []byte(`{"b":1}`), Updated: noon()}
	must(t, s.PutAppState(ctx, about, 0))
	fails(t, s.PutAppState(ctx, about, 0), errs.PreconditionFailed)
	must(t, s.PutAppState(ctx, global, 0))
	equal(t, got(s.AppState(ctx, tenant, "s1"))(t), about)
	_, err := s.AppState(ctx, other, "s1")
	fails(t, err, errs.NotFound)
	equal(t, got(s.AppStates(ctx, tenant, code, "Patient/rosa"))(t), []appstate.State{about})
	equal(t, got(s.AppStates(ctx, tenant, code, ""))(t), []appstate.State{global})
	equal(t, len(got(s.AppStates(ctx, tenant, "https://app.example|other", ""))(t)), 0)
	equal(t, len(got(s.AppStates(ctx, other, code, ""))(t)), 0)
	about.Version, about.JSON, about.ClientID = 2, []byte(`{"a":2}`), "companion"
	fails(t, s.PutAppState(ctx, about, 5), errs.PreconditionFailed)
	must(t, s.PutAppState(ctx, about, 1))
	equal(t, got(s.AppState(ctx, tenant, "s1"))(t), about)
	moved := about
	moved.Version, moved.Subject = 3, "Patient/luis"
	fails(t, s.PutAppState(ctx, moved, 2), errs.PreconditionFailed)
	fails(t, s.DeleteAppState(ctx, tenant, "s1", 1), errs.PreconditionFailed)
	must(t, s.DeleteAppState(ctx, tenant, "s1", 2))
	_, err = s.AppState(ctx, tenant, "s1")
	fails(t, err, errs.NotFound)
}
