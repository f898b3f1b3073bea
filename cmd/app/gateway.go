package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/law"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine"
	"github.com/mandate-health/mandate/oauth/grant"
	"github.com/mandate-health/mandate/oauth/registration"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/web"
	"github.com/mandate-health/mandate/web/fhirapi"
	"github.com/mandate-health/mandate/web/gateway"
	"github.com/mandate-health/mandate/web/pages/signin"
	"github.com/mandate-health/mandate/web/protocol"
	"github.com/mandate-health/mandate/web/route"
)

// verifier hands the gateway what an access token stands for.
type verifier struct{ engine *engine.Engine }

// VerifyAccessToken checks a token.
func (v verifier) VerifyAccessToken(ctx context.Context, tenant, raw string) (gateway.Bearer, error) {
	c, err := v.engine.Verifier.VerifyAccessToken(ctx, tenant, raw)
	return bearerOf(c), err
}

// Presented checks a token that a request presents, with its proof.
func (v verifier) Presented(ctx context.Context, tenant string, p oauth.Presentation) (gateway.Bearer, string, error) {
	c, nonce, err := v.engine.Verifier.Presented(ctx, tenant, p)
	return bearerOf(c), nonce, err
}

func bearerOf(c engine.Claims) gateway.Bearer {
	return gateway.Bearer{Client: c.Client, Grant: c.Grant, Scopes: c.Scope, JTI: c.TokenID, System: c.Grant.ID == "", Acted: c.Acted()}
}

// origins tells from where registered apps run.
type origins struct {
	*store.Store
	memory *store.Memory
}

// Registered reports whether some enabled client may call from the origin. Anybody
// can ask, so it is told from memory.
func (o origins) Registered(ctx context.Context, tenant, origin string) (bool, error) {
	return o.memory.Registered(ctx, tenant, origin)
}

// endpoints are the addresses that both discovery documents and the
// CapabilityStatement name. One that is switched off is empty.
func (t *tenant) endpoints() protocol.Endpoints {
	e := protocol.Endpoints{
		MTLS: t.cfg.MTLS.methods(), MTLSRoot: strings.TrimSuffix(t.cfg.MTLS.PublicURL, "/"),
		Issuer: t.site.Issuer, FHIRBase: t.site.FHIRBase, Authorize: t.site.Issuer + "/authorize", Token: t.site.TokenURL,
		Introspect: t.site.IntrospectURL, Revoke: t.site.RevokeURL, JWKS: t.site.Issuer + "/jwks", Management: t.site.Issuer + "/apps",
		Push: t.site.PushURL, PushRequired: t.cfg.Push.Require,
		Brands: t.site.Issuer + brandPath, EndSession: t.site.Issuer + signin.EndPath,
		Device: t.site.Issuer + devicePath, Off: t.cfg.OffConfig.grants(), Documentation: t.site.Issuer + guidePath, ClientDocuments: len(t.documentHosts()) > 0,
	}
	if slices.Contains(e.Off, grant.Device) {
		e.Device = ""
	}
	if t.cfg.AppState {
		e.AppState = t.site.Issuer + appStatePath
	}
	if mode := t.registrationPolicy().Mode; mode == registration.ByToken || mode == registration.ByApproval {
		e.Register = t.site.Issuer + registerPath
	}
	return e
}

// gateway stands below the FHIR base.
func (t *tenant) gateway() *gateway.Gateway {
	e := t.endpoints()
	return gateway.New(gateway.Deps{
		OAuth: gateway.OAuth{
			Authorize: e.Authorize, Token: e.Token, Introspect: e.Introspect, Revoke: e.Revoke, Manage: e.Management,
			Capabilities: e.Capabilities(),
		},
		Tenant: t.id, Base: t.site.FHIRBase, BasePath: t.base.Path(fhirPath), Verifier: verifier{t.engine}, Authority: t.loader,
		Upstream: t.record, Owned: &fhirapi.Service{
			File: t.consents, Consents: t.store, Relations: t.store, Log: fhirapi.Log{Events: t.reports, AsOf: t.reports.AsOf, Names: t.auditNames()},
		},
		Validator: t.codec, Definitions: t.definitions, Recorder: counted{t.queue, t.metrics}, Origins: origins{t.store, t.memory}, Problems: t.problem,
		Clock: t.clock, IDs: t.ids, Hasher: t.hasher, RequestID: web.RequestID, Address: t.session.Address, URL: t.requestURL, Log: t.log,
		Restricted: t.restrictedCall(), Modes: t.cfg.Rules.modes(), Admit: t.admitFHIR, Spike: t.cfg.Limits.ExportRecords, Spiked: t.spiked, Parameters: t.cfg.FHIRServer.Parameters,
		Notice: func(at time.Time) string {
			n, _ := t.law.NoticeAt(law.NoticePart2, at)
			return n.Text
		},
		Wrote:       t.keepWriting,
		Certificate: func(r *http.Request) string { return t.certificate(r).Thumbprint() },
	})
}

// keepWriting stores who wrote a clinical resource for a patient.
func (t *tenant) keepWriting(ctx context.Context, w gateway.Writing) error {
	rec, err := evidence.Writing{
		ID: t.ids.ID(), Patient: w.Capacity.Patient, Target: w.Target, Version: w.Version, Operation: w.Operation, At: w.At,
		By: evidence.Party{Resource: w.Capacity.Acting, Account: w.PersonID}, App: evidence.Party{Client: w.ClientID}, Consents: w.Consents,
	}.Provenance()
	if err != nil {
		return err
	}
	rec.Tenant = t.id
	if rec, err = rec.Next(0, w.At); err != nil {
		return err
	}
	return t.store.InTx(ctx, func(tx store.Tx) error { return tx.PutEvidence(ctx, rec, 0) })
}

// restrictedCall gives what the table of assurance demands of the log-in behind a grant
// before what is particularly private leaves; nil where it never demands anything.
func (t *tenant) restrictedCall() func(fhir.CapacityKind) oauth.Demand {
	by := map[fhir.CapacityKind]oauth.Demand{}
	for _, rule := range t.cfg.SignIn.demands() {
		if rule.Action != identity.ActRestrictedCall || rule.Role != "" {
			continue
		}
		for _, kind := range personal() {
			d := identity.Demanded([]identity.DemandRule{rule}, identity.Ask{Action: identity.ActRestrictedCall, Capacity: kind})
			have := by[kind]
			have.ACR = max(have.ACR, d.Level)
			if d.Within > 0 && (have.MaxAge == 0 || d.Within < have.MaxAge) {
				have.MaxAge = d.Within
			}
			by[kind] = have
		}
	}
	if len(by) == 0 {
		return nil
	}
	return func(kind fhir.CapacityKind) oauth.Demand { return by[kind] }
}

// gatewayRoutes describe the FHIR base, which is one handler: the path below
// it is read by fhir/rest, not by the router.
func gatewayRoutes() []route.Route {
	fhir := func(method, path string, auth route.Auth, scopes, why string, phi route.Class) route.Route {
		return route.Route{Method: method, Path: fhirPath + path, Auth: auth, Scopes: scopes, PHI: phi, Limit: "fhir", Owner: "web/gateway", Reason: why}
	}
	out := []route.Route{
		fhir("GET", "/metadata", route.None, "", "a CapabilityStatement is public (SMART CST-01)", route.NoPHI),
		fhir("GET", "/StructureDefinition/{id}", route.None, "", "Mandate's own profiles are public; those of the upstream need a token (TR-17)", route.NoPHI),
		fhir("GET", "/CodeSystem/{id}", route.None, "", "Mandate's own code systems are public; those of the upstream need a token (TR-17)", route.NoPHI),
	}
	for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		out = append(out, fhir(m, "/{path:.*}", route.Bearer, "by resource type and operation (access)", "", route.Record))
	}
	return out
}

// printRoutes lists the routes without starting anything: it builds the rooms
// on an empty store that is thrown away.
func printRoutes(ctx context.Context, w io.Writer, c routesCommand) error {
	dir, err := tempDir()
	if err != nil {
		return err
	}
	defer dir.remove()
	key := KeySettings{Keys: "file:" + filepath.Join(dir.path, "kek.json")}
	cfg := Config{Dev: true, AppState: true, Data: dir.path, KeySettings: key, Out: io.Discard, Log: discard()}
	a := &App{cfg: cfg, log: discard(), ids: ids.Source{}, clock: clock.System{}}
	if err := a.openStore(ctx); err != nil {
		return explain(err)
	}
	defer closing(ctx, a.store, a.log)
	if a.reports, err = openReports(ctx, a.cfg, a.store); err != nil {
		return err
	}
	if err := a.build(ctx, reached{public: "http://localhost:8080", upstream: "http://localhost:8081/fhir"}); err != nil {
		return explain(err)
	}
	defer a.drain()
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if c.OpenAPI {
		routes, err := a.home.routes()
		if err != nil {
			return err
		}
		doc, err := a.home.openAPI(routes)
		if err != nil {
			return err
		}
		return enc.Encode(doc)
	}
	lines, err := a.home.routeLines()
	if err != nil {
		return err
	}
	if c.JSON {
		return enc.Encode(lines)
	}
	for _, l := range lines {
		fmt.Fprintf(w, "%-8s %-42s %-8s %-12s %s\n", l.Method, l.Path, l.Auth, l.PHI, l.Owner)
	}
	return nil
}
