package smart

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/conformance/kit"
)

// beyond holds rows of what SMART calls experimental or leaves open.
func beyond() []kit.Row {
	return []kit.Row{
		{ID: "SMART TOK-15", Title: "authorization_details name the FHIR base, scopes and context of the answer", Needs: kit.Login | kit.Details, Run: tokDetails},
		{ID: "SMART CTX-16", Title: "launch/<type> gives a readable resource of that type in fhirContext", Needs: kit.Login | kit.Symmetric, Run: ctxFurther},
		{ID: "SMART CTX-22", Title: "a Task launches its app, with its patient and its context for the app", Needs: kit.Login | kit.Launcher | kit.Proxies, Run: ctxTask},
		{ID: "SMART SCP-25", Title: "the URI forms of scopes are not listed and grant nothing", Needs: kit.Login, Run: scpURIs},
		{ID: "SMART US-30", Title: "apps of the certified API are asked for nothing that the rule does not know",
			Needs: kit.Login | kit.Symmetric | kit.Asymmetric, Run: usNothingElse},
		{ID: "SMART OID-13", Title: "after a rotation of keys old id_tokens still verify", Needs: kit.Login | kit.Clock, Run: oidRotation},
	}
}

func tokDetails(ctx context.Context, t *kit.Target) error {
	client := t.DetailsClient()
	g, err := t.Launch(ctx, kit.Launch{Client: client, Scope: "launch/patient launch/encounter offline_access patient/Patient.rs patient/Encounter.rs", Visit: visit(t)})
	if err != nil {
		return err
	}
	var c kit.Check
	answers := map[string]*kit.Response{"the code": g.Response}
	if token := g.RefreshToken(); c.That(token != "", "no refresh token") {
		res, err := t.Refresh(ctx, client, token, "patient/Patient.rs")
		if c.Note(err) {
			answers["a narrower refresh"] = res
		}
	}
	for what, res := range answers {
		var body struct {
			Scope     string `json:"scope"`
			Patient   string `json:"patient"`
			Encounter string `json:"encounter"`
			Details   []struct {
				Type      string   `json:"type"`
				Locations []string `json:"locations"`
				Versions  []string `json:"fhirVersions"`
				Scope     string   `json:"scope"`
				Patient   string   `json:"patient"`
				Encounter string   `json:"encounter"`
			} `json:"authorization_details"`
		}
		if !c.Note(json.Unmarshal(res.Body, &body)) || !c.That(len(body.Details) == 1, "%s: %d authorization_details", what, len(body.Details)) {
			continue
		}
		d := body.Details[0]
		c.That(d.Type == "smart_on_fhir", "%s: type is %q", what, d.Type)
		c.That(slices.Contains(d.Locations, t.FHIRBase), "%s: locations are %v", what, d.Locations)
		c.That(slices.Contains(d.Versions, "4.0.1"), "%s: fhirVersions are %v", what, d.Versions)
		c.That(d.Scope == body.Scope && d.Patient == body.Patient && d.Encounter == body.Encounter && d.Patient != "",
			"%s: %+v beside scope %q, patient %q, encounter %q", what, d, body.Scope, body.Patient, body.Encounter)
	}
	plain, err := standard(ctx, t, "public")
	if c.Note(err) {
		c.That(plain.JSON()["authorization_details"] == nil, "a client that did not ask for them gets authorization_details")
	}
	return c.Err()
}

// ctxFurther asks for a kind of context that every chart has, and for one that
// the scopes do not open.
func ctxFurther(ctx context.Context, t *kit.Target) error {
	client := t.Client("symmetric")
	g, err := t.Launch(ctx, kit.Launch{Client: client, Scope: "launch/patient launch/observation launch/condition patient/Patient.rs patient/Observation.rs", Visit: visit(t)})
	if err != nil {
		return err
	}
	var c kit.Check
	found := ""
	for _, item := range items(g.Response) {
		ref, _ := item["reference"].(string)
		c.That(item["role"] == nil || item["role"] == "launch", "%s has the role %v, which nobody asked for", ref, item["role"])
		c.That(!strings.HasPrefix(ref, "Condition/"), "%s is named, and the scopes do not open it", ref)
		if strings.HasPrefix(ref, "Observation/") {
			found = ref
		}
	}
	if !c.That(found != "", "fhirContext is %v", g.JSON()["fhirContext"]) {
		return c.Err()
	}
	res, err := t.FHIR(ctx, g.Access(), found)
	if c.Note(err) {
		c.That(res.Status == http.StatusOK, "%s: %s", found, res)
	}
	res, err = t.Introspect(ctx, client, g.Access())
	if c.Note(err) {
		c.That(same(res.JSON()["fhirContext"], g.JSON()["fhirContext"]), "introspection says %v", res.JSON()["fhirContext"])
	}
	return c.Err()
}

// The prefixes of scopes in artefacts (SC Scopes as URIs).
const (
	uriClinical = "http://smarthealthit.org/fhir/scopes/"
	uriOpenID   = "http://openid.net/specs/openid-connect-core-1_0#"
)

func scpURIs(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, s := range t.Config.Scopes {
		c.That(!strings.Contains(s, "://") || strings.Contains(s, "?"), "%s is listed", s)
	}
	g, got, err := granted(ctx, t, "launch/patient patient/Observation.rs "+uriClinical+"patient/Patient.rs "+uriOpenID+"openid")
	if err != nil || g == nil {
		return err // the whole request may be refused
	}
	for _, s := range got {
		c.That(!strings.HasPrefix(s, uriClinical) && !strings.HasPrefix(s, uriOpenID), "%s was granted", s)
	}
	c.That(g.Text("id_token") == "", "an id_token was given for %sopenid", uriOpenID)
	res, err := t.FHIR(ctx, g.Access(), "Patient?_id="+g.Patient())
	if c.Note(err) {
		c.That(res.Status == http.StatusForbidden, "the Patient is open: %s", res)
	}
	return c.Err()
}

// usNothingElse: the later rules (HTI-2 to HTI-5) put no duty on the
// authorization server, so an app that knows nothing newer than 45 CFR
// 170.315(g)(10) must still be served: not pushed, not signed, no proof of a
// key, registered by an operator.
func usNothingElse(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	res, err := t.Do(ctx, kit.Request{URL: configurationURL(t)})
	if err != nil {
		return err
	}
	for _, name := range []string{"require_pushed_authorization_requests", "require_signed_request_object", "tls_client_certificate_bound_access_tokens_required"} {
		c.That(res.JSON()[name] != true, "%s is true", name)
	}
	for _, kind := range []string{"public", "symmetric", "asymmetric"} {
		g, err := t.Launch(ctx, kit.Launch{Client: t.Client(kind), Scope: plainScope, Visit: visit(t)})
		if c.Note(err) {
			c.That(strings.EqualFold(g.Text("token_type"), "Bearer"), "%s: token_type is %q", kind, g.Text("token_type"))
		}
	}
	return c.Err()
}

// keyID gives the key under which a token was signed.
func keyID(token string) (string, error) {
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return "", fmt.Errorf("the id_token is not a JWS with RS256: %w", err)
	}
	return signed.Signatures[0].Protected.KeyID, nil
}

// keyPatience bounds how long a server may take to see that a key is due.
const keyPatience = 40 * time.Second

// oidRotation lets a signing key grow older than the longest life that is usual
// and looks whether what it signed can still be verified.
func oidRotation(ctx context.Context, t *kit.Target) error {
	if err := t.Advance(ctx, 91*24*time.Hour); err != nil {
		return err
	}
	t.Forget()
	launch := kit.Launch{Client: t.Client("public"), Scope: plainScope, Visit: visit(t)}
	g, err := t.Launch(ctx, launch)
	if err != nil {
		return err
	}
	old := g.Text("id_token")
	if _, err := idToken(ctx, t, old); err != nil {
		return err
	}
	before, err := keyID(old)
	if err != nil {
		return err
	}
	// A new key is published before it signs.
	until := time.NewTimer(keyPatience)
	defer until.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := t.Advance(ctx, time.Minute); err != nil {
			return err
		}
		if g, err = t.Launch(ctx, launch); err != nil {
			return err
		}
		now, err := keyID(g.Text("id_token"))
		if err != nil {
			return err
		}
		if now != before {
			break
		}
		select {
		case <-until.C:
			return kit.Unmet{Why: "a server that replaces its signing keys at least every 91 days"}
		case <-tick.C:
		}
	}
	if _, err := idToken(ctx, t, old); err != nil {
		return fmt.Errorf("an id_token of before the rotation: %w", err)
	}
	return nil
}

// launchTask is a Task that asks for a launch of an app at a URL.
func launchTask(code, url string) map[string]any {
	concept := func(code string) map[string]any {
		return map[string]any{"coding": []map[string]any{{"system": "http://hl7.org/fhir/smart-app-launch/CodeSystem/smart-codes", "code": code}}}
	}
	return map[string]any{
		"resourceType": "Task", "status": "requested", "intent": "proposal", "code": concept(code),
		"for": map[string]any{"reference": "Patient/rosa"},
		"input": []map[string]any{
			{"type": concept("smartonfhir-application"), "valueUrl": url},
			{"type": concept("smartonfhir-appcontext"), "valueString": "order 7 & more"},
		},
	}
}

func ctxTask(ctx context.Context, t *kit.Target) error {
	l := clinician(t)
	if len(l.Client.LaunchURIs) == 0 {
		return kit.Unmet{Why: "an app with launch_uris"}
	}
	own := l.Client.LaunchURIs[0]
	g, err := t.EHRLaunch(ctx, fresh(map[string]any{"task": launchTask("launch-app-ehr", own)}), l)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(g.Patient() == "rosa", "patient is %q", g.Patient())
	c.That(g.Text("appContext") == "order 7 & more", "appContext is %v", g.JSON()["appContext"])
	other := launchTask("launch-app-ehr", own)
	other["for"] = map[string]any{"reference": "Patient/joaquin"}
	for what, task := range map[string]map[string]any{
		"of another address": launchTask("launch-app-ehr", "https://evil.example/launch"), "of another kind": launchTask("launch-app-standalone", own),
		"for another patient": other, "that is none": {"resourceType": "Observation"},
	} {
		res, err := t.RegisterLaunch(ctx, fresh(map[string]any{"client_id": l.Client.ID, "patient": "rosa", "task": task}))
		if c.Note(err) {
			c.That(res.Status >= 400 && res.Status < 500, "a Task %s: %s", what, res)
		}
	}
	return c.Err()
}
