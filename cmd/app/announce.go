package app

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/web/demo"
)

// ready gathers what drives a development server.
func (d *development) ready(t *tenant, at reached, caFile string) ready {
	own := t.ready()
	r := ready{
		Tenant: own.ID, CAFile: caFile, DemoApp: d.demoURL + "/app/", EHRSimulator: d.demoURL + "/ehr/",
		LaunchAPI: launchAPI{URL: own.Issuer + "/launch", ClientID: "demo-ehr"},
		Issuer:    own.Issuer, FHIRBase: own.FHIRBase, SMARTConfiguration: own.SMARTConfiguration,
		UpstreamFHIRBase: at.upstream, Console: own.Issuer + "/staff",
		Clock: own.Issuer + "/dev/clock", Outbox: own.Issuer + "/dev/outbox",
		AdminAPI: own.AdminAPI, People: readyPeople(), Tenants: []readyTenant{},
		UDAPCA: readyCommunity{devCommunity, t.devCommunity.Certificate, t.devCommunity.PrivateKey, int(t.cfg.UDAP.complete().CRLRefresh.Seconds())},
	}
	for _, other := range t.served() {
		r.Tenants = append(r.Tenants, other.ready())
	}
	for _, c := range d.clients {
		r.Clients = append(r.Clients, readyClient{
			ClientID: c.ID, Kind: string(c.Kind), ClientSecret: c.ClientSecret, PrivateJWKS: c.PrivateJWKS,
			RedirectURIs: list(c.RedirectURIs), LaunchURIs: list(c.LaunchURIs), Scopes: c.ceiling(),
			AppStateCodes: c.AppStateCodes, AppStateReadCodes: c.AppStateReadCodes, AppStateGlobal: c.AppStateGlobal,
			EvaluateAccess: c.EvaluateAccess, IntrospectConsents: c.IntrospectConsents,
			TokenExchange: c.TokenExchange, MayAct: c.MayAct,
			PostLogoutRedirectURIs: c.PostLogoutRedirectURIs,
			DeviceFlow:             c.DeviceFlow,
		})
	}
	return r
}

func list(v []string) []string {
	if v == nil {
		return []string{}
	}
	return v
}

// announce tells a human what runs where and what to try first.
func (d *development) announce(w io.Writer, r ready, at reached) {
	p := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	p("")
	p("Mandate is running (development: demo passwords, encryption keys by default in a file)")
	p("")
	p("  Log-in and pages     %s", r.Issuer)
	p("  FHIR, protected      %s", r.FHIRBase)
	p("  FHIR, unprotected    %s", at.upstream)
	p("  Demo app             %s", r.DemoApp)
	p("  EHR simulator        %s", r.EHRSimulator)
	p("  All screens          %s/dev/screens/", r.Issuer)
	if r.CAFile != "" {
		p("  Certificate authority %s", r.CAFile)
	}
	p("")
	p("Try this first")
	p("  1. Open the demo app and choose \"Connect my record\". Sign in as rosa.")
	p("  2. See what it got, then end it under %s/apps: the app is refused at once.", r.Issuer)
	p("  3. Connect again as elena, Rosa's daughter: she gets less.")
	p("  4. Who looked at Rosa's record? %s/activity (as rosa)", r.Issuer)
	p("  5. Launch the app from the EHR simulator and sign in as hale.")
	p("")
	p("Log-ins (a code is the current one of the secret; the ready file has all of them)")
	for _, person := range r.People {
		secret := "password alone"
		if person.TOTPSecret != "" {
			secret = "code secret " + person.TOTPSecret
		}
		p("  %-8s %-9s  password %-24s %s", person.Username, person.Role, person.Password, secret)
	}
	p("")
}

// demoConfig joins the demo app and the EHR simulator to this server.
func (d *development) demoConfig(t *tenant, client *http.Client) demo.Config {
	cfg := demo.Config{
		Base: d.demoURL, Issuer: t.site.Issuer, FHIRBase: t.site.FHIRBase, LaunchURL: t.site.Issuer + "/launch",
		EHRClientID: "demo-ehr", AppClientID: "demo-app", HTTP: client, Now: t.clock.Now,
		Patients: func(ctx context.Context) ([]demo.Patient, error) { return t.demoPatients(ctx) },
	}
	for _, c := range d.clients {
		if c.ID == cfg.EHRClientID {
			cfg.EHRSecret = c.ClientSecret
		}
		if c.Kind != oauth.ClientBackend && len(c.LaunchURIs) > 0 {
			cfg.Apps = append(cfg.Apps, demo.App{ClientID: c.ID, Name: c.Name, LaunchURL: c.LaunchURIs[0]})
		}
	}
	for _, p := range demoPeople() {
		if p.fhirUser() != "" && isPractitioner(p) {
			cfg.Users = append(cfg.Users, demo.User{Reference: p.fhirUser(), Name: p.name})
		}
	}
	return cfg
}

func isPractitioner(p demoPerson) bool { return p.identities[0].Resource.Type == "Practitioner" }

// demoPatients lists patients for the simulator, as the EHR itself would know
// them.
func (t *tenant) demoPatients(ctx context.Context) ([]demo.Patient, error) {
	found, _, err := t.record.FindPatients(ctx, "", 100)
	if err != nil {
		return nil, err
	}
	var out []demo.Patient
	for _, p := range found {
		enc, err := t.record.CurrentEncounter(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, demo.Patient{ID: p.ID, Name: p.Name, Encounter: enc})
	}
	return out, nil
}
