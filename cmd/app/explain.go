package app

import (
	"context"
	"strings"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/errs"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/web"
	explanation "github.com/mandate-health/mandate/web/explain"
	"github.com/mandate-health/mandate/web/fhirapi"
	"github.com/mandate-health/mandate/web/gateway"
	whypages "github.com/mandate-health/mandate/web/pages/why"
)

// explainer answers why the tenant's gateway decides as it does.
func (t *tenant) explainer() *explanation.Service {
	return &explanation.Service{
		Tenant: t.id, Base: t.site.FHIRBase, Read: t.store, Judge: t.gateway(),
		Verify: verifier{t.engine}.VerifyAccessToken, Recorder: t.queue, Clock: t.clock,
	}
}

// explainPages is the console's page that tells why.
func (t *tenant) explainPages() *whypages.Handler {
	return whypages.New(whypages.Deps{Door: t.consoleDoor(), Ask: t.explainer().Ask, Sees: t.seesLog, Holds: t.holdsOperator, RequestID: web.RequestID})
}

// seesLog lets auditors ask, and operators.
func (t *tenant) seesLog(ctx context.Context, p identity.Person) error {
	err := t.holds(operator.Auditor)(ctx, p)
	if errs.Is(err, errs.Forbidden) {
		return t.holdsOperator(ctx, p)
	}
	return err
}

// explainer gives it to a command: that of the running server, or one on the store
// alone, which asks the FHIR server where the settings say how.
func (a *App) explainer(ctx context.Context, tenant string) (*explanation.Service, error) {
	if t := a.tenant(tenant); t != nil {
		return t.explainer(), nil
	}
	consents := consent.NewService(consent.Deps{
		Store: a.store, Tx: on(a.store, func(tx store.Tx) consent.FilingTx { return tx }), Clock: a.clock, IDs: a.ids,
		Options: a.cfg.consents(),
	})
	loader, err := a.newLoader(consents, a.store)
	if err != nil {
		return nil, err
	}
	d := gateway.Deps{
		Tenant: tenant, Base: a.fhirBase(tenant), Clock: a.clock, IDs: a.ids,
		Authority: loader,
		Modes:     a.cfg.Rules.modes(),
		Owned:     &fhirapi.Service{File: consents, Consents: a.store, Relations: a.store},
	}
	base, err := a.upstreamOf(ctx, tenant)
	if err != nil {
		return nil, err
	}
	if base != "" {
		if d.Upstream, err = upstreamClient(a.cfg, base, a.clock, a.ids); err != nil {
			return nil, err
		}
	}
	return &explanation.Service{
		Tenant: tenant, Base: d.Base, Read: a.store, Judge: gateway.New(d), Recorder: direct{a.store}, Clock: a.clock,
	}, nil
}

// upstreamOf gives the FHIR server of a tenant, "" where nothing here says.
func (a *App) upstreamOf(ctx context.Context, tenant string) (string, error) {
	if tenant == tenants.Default {
		return strings.TrimSuffix(a.cfg.Upstream, "/"), nil
	}
	rows, err := a.store.Tenants(ctx)
	for _, row := range rows {
		if row.ID == tenant {
			return row.Upstream, err
		}
	}
	return "", err
}

// direct records an event in a transaction of its own, where no queue runs.
type direct struct{ store *store.Store }

// Record implements audit.Recorder.
func (d direct) Record(ctx context.Context, e audit.Event) error { return d.store.AppendAudit(ctx, e) }
