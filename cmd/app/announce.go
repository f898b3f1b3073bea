package app

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/mandate-health/mandate/identity/factor/totp"
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
		AdminAPI: own.AdminAPI, People: readyPeople(d.people()), Tenants: []readyTenant{},
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
	p("  People and log-ins   %s/people/", d.demoURL)
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
	for _, person := range r.People[:len(demoPeople())] {
		secret := "password alone"
		if person.TOTPSecret != "" {
			secret = "code secret " + person.TOTPSecret
		}
		p("  %-8s %-9s  password %-24s %s", person.Username, person.Role, person.Password, secret)
	}
	if d.families {
		p("  ruth and %d more, one for each way of helping: %s/people/ tells them and their codes", len(family())-1, d.demoURL)
	}
	p("")
}

// people are all who can sign in.
func (d *development) people() []demoPerson {
	if d.families {
		return append(demoPeople(), family()...)
	}
	return demoPeople()
}

// person tells how somebody signs in.
func (d *development) person(t *tenant, p demoPerson) demo.Person {
	out := demo.Person{Username: p.username, Name: p.name, Role: string(p.role), Password: p.password()}
	if secret := p.totpSecret(); secret != "" {
		out.Code = func() string {
			code, err := totp.Code(secret, t.clock.Now().Unix()/int64(totp.Period.Seconds()))
			if err != nil {
				t.log.Error("the code of a demo person", "err", err)
			}
			return code
		}
	}
	return out
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
	for _, p := range d.people() {
		cfg.People = append(cfg.People, d.person(t, p))
	}
	if d.families {
		for _, h := range households() {
			for _, c := range h.cases {
				cfg.Cases = append(cfg.Cases, demo.Case{Helper: c.helper, Patient: c.patient, State: c.state, Words: c.words, As: c.as})
			}
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
