package app

import (
	"context"
	"slices"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	"github.com/mandate-health/mandate/oauth/registration"
	"github.com/mandate-health/mandate/web/adminapi"
	"github.com/mandate-health/mandate/web/adminapi/call"
	"github.com/mandate-health/mandate/web/adminapi/clients"
	"github.com/mandate-health/mandate/web/adminapi/explanations"
	"github.com/mandate-health/mandate/web/adminapi/grants"
	"github.com/mandate-health/mandate/web/adminapi/launches"
	"github.com/mandate-health/mandate/web/adminapi/people"
	"github.com/mandate-health/mandate/web/adminapi/records"
	"github.com/mandate-health/mandate/web/route"
)

// adminRoutes are the operators' API, all of it behind one guard.
func (t *tenant) adminRoutes() []route.Route {
	desk := call.Desk{Tenant: t.id, Problem: t.problem, Guard: t.adminBearer, Actor: actor, Origin: t.origin, Clock: t.clock}
	main := adminapi.New(adminapi.Deps{
		// Long reads may come from a replica.
		Desk: desk, Audits: t.reports, AsOf: t.reports.AsOf, Consents: t.consents, Proxies: t.proxies,
		Connections: t.connections(), Ledger: t.store, Recorder: t.queue,
		KeysOfLog: func(ctx context.Context) (*audit.LogKeys, error) {
			return audit.OpenLogKeys(ctx, t.store, t.ids, t.id)
		},
		Brands: brandDesk{t}, Names: t.auditNames(),
	}).Routes()
	given := grants.Deps{Desk: desk, Read: t.store, Connections: t.connections()}.Routes()
	registered := clients.Deps{Desk: desk, Registry: t.registrationDesk(), Flights: t.flights, ErrorDocs: t.site.Issuer + errorDocs}.Routes()
	opened := launches.Deps{Desk: desk, Flow: t.flow, Read: t.store, FHIRBase: t.site.FHIRBase}.Routes()
	kept := records.Deps{Desk: desk, Read: t.store, Life: t.life(), Told: t.told, Recorder: t.queue}.Routes()
	asked := explanations.Deps{Desk: desk, Explain: t.explainer()}.Routes()
	told := people.Deps{Desk: desk, Life: t.life()}.Routes()
	return slices.Concat(main, given, registered, opened, asked, kept, told)
}

// registrationDesk is where operators register clients of the tenant.
func (t *tenant) registrationDesk() *registration.Desk {
	policy := t.registrationPolicy()
	return &registration.Desk{
		Service: t.registry(), Rules: registration.Rules{Operator: true, Development: policy.Development},
		HashSecret: clientauth.SecretHash, Holidays: policy.Holidays, Offer: policy.Offer,
	}
}
