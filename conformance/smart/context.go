package smart

import (
	"context"
	"fmt"
	"net/http"
	"regexp"

	"github.com/mandate-health/mandate/conformance/kit"
)

func launchContext() []kit.Row {
	return []kit.Row{
		{ID: "SMART CTX-01", Title: "patient is a bare id of a readable Patient", Also: []string{"CAP-12", "VER-08"}, Needs: kit.Login, Run: ctxPatient},
		{ID: "SMART CTX-02", Title: "encounter is an Encounter of the patient", Needs: kit.Login, Run: capEncounter},
		{ID: "SMART CTX-03", Title: "a patient scope comes with a patient", Needs: kit.Login, Run: ctxWithPatient("launch/patient patient/Observation.rs")},
		{ID: "SMART CTX-04", Title: "a patient scope without launch/patient is refused or has a patient", Needs: kit.Login, Run: ctxInferred},
		{ID: "SMART CTX-17", Title: "an unknown context type does not break the request", Needs: kit.Login, Run: ctxUnknownType},
		{ID: "SMART CTX-19", Title: "a refresh does not change the patient", Needs: kit.Login, Run: ctxRefresh},
		{ID: "SMART CTX-21", Title: "two requests of one browser keep their patients apart", Needs: kit.Login | kit.Proxies, Run: ctxParallel},
	}
}

var idShape = regexp.MustCompile(`^[A-Za-z0-9\-.]{1,64}$`)

func ctxPatient(ctx context.Context, t *kit.Target) error {
	g, err := standard(ctx, t, "public")
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(idShape.MatchString(g.Patient()), "patient is %q", g.Patient())
	res, err := t.FHIR(ctx, g.Access(), "Patient/"+g.Patient())
	if c.Note(err) {
		c.That(res.Status == http.StatusOK && res.Text("id") == g.Patient(), "%s", res)
	}
	return c.Err()
}

func ctxWithPatient(scope string) func(context.Context, *kit.Target) error {
	return func(ctx context.Context, t *kit.Target) error {
		g, err := t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: scope, Visit: visit(t)})
		if err != nil {
			return err
		}
		if g.Patient() == "" {
			return fmt.Errorf("%q was granted without a patient", g.Text("scope"))
		}
		return nil
	}
}

func ctxInferred(ctx context.Context, t *kit.Target) error {
	req := t.AuthorizeRequest(t.Client("public"), "patient/Patient.rs", "")
	verifier := t.NewVerifier()
	req.Set("code_challenge", kit.Challenge(verifier))
	a, err := t.Authorize(ctx, req, visit(t))
	if err != nil {
		return err
	}
	if a.Query.Get("error") == "invalid_scope" {
		return nil
	}
	res, err := t.Call(ctx, t.Config.Token, t.Client("public"), kit.CodeForm(a.Code(), req.Get("redirect_uri"), verifier))
	if err != nil {
		return err
	}
	if res.Status != http.StatusOK || res.Text("patient") == "" {
		return fmt.Errorf("neither invalid_scope nor a patient: %s", res)
	}
	return nil
}

func ctxUnknownType(ctx context.Context, t *kit.Target) error {
	return ctxWithPatient("launch/patient launch/imagingstudy launch/questionnaire?role=https://role.example/x patient/Patient.rs")(ctx, t)
}

func ctxRefresh(ctx context.Context, t *kit.Target) error {
	g, err := t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: plainScope, Visit: visit(t)})
	if err != nil {
		return err
	}
	res, err := t.Refresh(ctx, g.Client, g.RefreshToken(), "")
	if err != nil {
		return err
	}
	if res.Status != http.StatusOK || res.JSON()["patient"] != nil && res.Text("patient") != g.Patient() {
		return fmt.Errorf("patient %q became %v: %s", g.Patient(), res.JSON()["patient"], res)
	}
	return nil
}

func ctxParallel(ctx context.Context, t *kit.Target) error {
	client := t.Client("public")
	scope := "launch/patient patient/Patient.rs"
	first := kit.Launch{Client: client, Scope: scope, Visit: kit.Visit{Person: "elena", Patient: "rosa"}}
	second := first
	second.Visit.Patient = "joaquin"
	// The second is carried through while the first waits at its consent page.
	var inner *kit.Grant
	var innerErr error
	b := t.Browser("elena")
	req := t.AuthorizeRequest(client, scope, "")
	verifier := t.NewVerifier()
	req.Set("code_challenge", kit.Challenge(verifier))
	waiting, err := pageOf(ctx, t, b, req, "rosa")
	if err != nil {
		return err
	}
	if inner, innerErr = t.Launch(ctx, second); innerErr != nil {
		return innerErr
	}
	f := waiting.ConsentForm()
	p, err := b.Submit(ctx, f, f.Button("allow"), req.Get("redirect_uri"))
	if err != nil {
		return err
	}
	if p.Back == nil {
		return fmt.Errorf("the first request was lost: %s", p.Response)
	}
	res, err := t.Call(ctx, t.Config.Token, client, kit.CodeForm(p.Back.Query().Get("code"), req.Get("redirect_uri"), verifier))
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Text("patient") == "rosa", "the first launch got the patient %q: %s", res.Text("patient"), res)
	c.That(inner.Patient() == "joaquin", "the second launch got the patient %q", inner.Patient())
	return c.Err()
}

// pageOf walks to the consent page for a patient.
func pageOf(ctx context.Context, t *kit.Target, b *kit.Browser, req map[string][]string, patient string) (*kit.Page, error) {
	verdict := (*kit.Form)(nil)
	a, err := t.Authorize(ctx, req, kit.Visit{Browser: b, Patient: patient, Consent: func(f *kit.Form) {
		copied := *f
		verdict = &copied
		f.Action, f.Method = t.Config.Issuer+"/help", http.MethodGet
	}})
	if verdict == nil {
		if err == nil {
			err = fmt.Errorf("no consent page: %s", a)
		}
		return nil, err
	}
	p := *a.ConsentPage
	p.Forms = []*kit.Form{verdict}
	return &p, nil
}
