package adminapi

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/fhirevent"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/adminapi/call"
	"github.com/mandate-health/mandate/web/route"
)

// Deps is what the API works with.
type Deps struct {
	call.Desk
	Connections *oauth.Connections
	Audits      interface {
		Audits(ctx context.Context, f audit.Filter) ([]audit.Event, error)
	}
	// AsOf says up to when the audit log is complete in Audits.
	AsOf     func(ctx context.Context) (time.Time, error)
	Consents *consent.Service
	Proxies  *proxy.Service
	Brands   Brands
	// Ledger gives proofs of the audit log, KeysOfLog its keys; Recorder takes
	// the events of looks at it.
	Ledger    audit.Ledger
	KeysOfLog func(ctx context.Context) (*audit.LogKeys, error)
	Recorder  audit.Recorder
	// Names are what AuditEvents call this server.
	Names fhirevent.Names
}

// API serves a part of /admin.
type API struct{ Deps }

// New makes the API.
func New(d Deps) *API { return &API{Deps: d} }

const owner = "web/adminapi"

// Routes lists what the package serves.
func (a *API) Routes() []route.Route {
	return append(append(a.logRoutes(), a.recordRoutes()...), a.brandRoutes()...)
}
