package consent

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// tokens holds the rows about what becomes of Consents on the way to scopes, tokens
// and answers (A.9, A.10), each through the whole way: authorize, token, refresh,
// introspection, FHIR.
func tokens() []kit.Row {
	story := kit.Login | kit.Proxies | kit.Admin
	return []kit.Row{
		{ID: "MANDATE SC-01", Title: "a malformed scope never becomes one for a proxy, and the others stand", Needs: story, Run: proxyMalformed},
		{ID: "MANDATE SC-02", Title: "a proxy gets nothing that was not asked, and nothing that was not chosen", Needs: story, Run: proxySubset},
		{ID: "MANDATE SC-04", Title: "types that tell of other people's access are never granted to a proxy", Needs: story, Run: neverTypes},
		{ID: "MANDATE SC-06", Title: "limits that do not meet leave nothing, and those that meet the narrower", Needs: story, Run: proxyLimits},
		{ID: "MANDATE SC-07", Title: "write scopes of a proxy have no limits and no deletion", Needs: story, Run: proxyWriteScopes},
		{ID: "MANDATE SC-08", Title: "neither scopes, token nor introspection by an app name a label", Needs: story | kit.Symmetric, Run: noLabels},
		{ID: "MANDATE SC-09", Title: "a function that is asked for as a scope is left out for an app of others, and the others stand", Needs: story, Run: functionScopes},
		{ID: "MANDATE SC-12", Title: "the token of a proxy is of the person, for the patient, as the relation", Needs: story, Run: proxyIdentity},
		{
			ID: "MANDATE SC-13", Title: "a proxy's token says on what it rests, and what is withheld is told only to a resource server that may know",
			Needs: story | kit.Symmetric | kit.Disclosing, Run: delegationClaims,
		},
		{ID: "MANDATE SC-15", Title: "a refresh follows a Consent that was narrowed, and never one that was widened", Needs: story, Run: refreshFollows},
		{ID: "MANDATE SC-17", Title: "introspection and FHIR follow a Consent that was narrowed or ended, at once", Needs: story | kit.Symmetric, Run: introspectionFollows},
		{ID: "MANDATE SC-19", Title: "a proxy's token that is bound to a key is worth nothing without it", Needs: story | kit.DPoP, Run: boundProxy},
		{ID: "MANDATE SC-22", Title: "a service never acts for a proxy", Needs: story | kit.Backend, Run: serviceIsNobody},
		{ID: "MANDATE SC-24", Title: "a function opens writing where it belongs and nowhere else", Needs: story, Run: functionTypes},
		{ID: "MANDATE EV-03", Title: "a prohibition wins over a grant for the same person, until it is withdrawn", Needs: story, Run: prohibition},
		{ID: "MANDATE EV-09", Title: "an exception of one grant takes nothing from another", Needs: story, Run: ownException},
		{ID: "MANDATE EV-10", Title: "the exception of a prohibition permits nothing by itself", Needs: story, Run: dissent},
		{ID: "MANDATE EV-14", Title: "a token ends with the first of the ends on which it rests", Needs: story, Run: firstEnd},
	}
}

// asks launches the public app for the daughter of the story.
func asks(ctx context.Context, t *kit.Target, scope string, choose func(*kit.Form)) (*kit.Grant, error) {
	return t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: scope, Visit: kit.Visit{Person: "elena", Patient: "rosa", Consent: choose}})
}

// changes lets the app do whatever the page offers.
func changes(f *kit.Form) {
	for _, field := range f.Fields {
		if strings.HasPrefix(field.Name, "act.") {
			f.Tick(field.Name, true)
		}
	}
}

func proxyMalformed(ctx context.Context, t *kit.Target) error {
	g, err := asks(ctx, t, "launch/patient patient/MedicationRequest.sr patient/AllergyIntolerance.dus patient/*.x patient/MedicationStatement.rs", nil)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(slices.Equal(types(g), []string{"MedicationStatement"}), "granted %v", g.Scopes())
	return c.Err()
}

// functionScopes asks for functions of the portal, which are nobody else's to use.
func functionScopes(ctx context.Context, t *kit.Target) error {
	const portal = "https://portal.example.org/scopes/"
	g, err := asks(ctx, t, "launch/patient patient/MedicationRequest.rs "+portal+"export "+portal+"message", nil)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(slices.Equal(types(g), []string{"MedicationRequest"}) && !strings.Contains(g.Text("scope"), portal), "granted %v", g.Scopes())
	return c.Err()
}

func proxySubset(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	g, err := asks(ctx, t, "launch/patient patient/MedicationRequest.r patient/AllergyIntolerance.s", nil)
	if c.Note(err) {
		both := slices.Contains(g.Scopes(), "patient/MedicationRequest.r") && slices.Contains(g.Scopes(), "patient/AllergyIntolerance.s")
		c.That(both && len(types(g)) == 2, "granted %v", g.Scopes())
		res, err := t.FHIR(ctx, g.Access(), "MedicationRequest?patient=rosa")
		if c.Note(err) {
			c.That(res.Status == http.StatusForbidden, "a scope to read searches: %s", res)
		}
	}
	unticked := false
	g, err = asks(ctx, t, "launch/patient patient/MedicationRequest.rs patient/AllergyIntolerance.rs", func(f *kit.Form) {
		unticked = f.Tick("kind.AllergyIntolerance", false)
	})
	if c.Note(err) && c.That(unticked, "the kind cannot be left out") {
		c.That(slices.Equal(types(g), []string{"MedicationRequest"}), "granted although it was left out: %v", g.Scopes())
	}
	return c.Err()
}

func neverTypes(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	never := []string{"Consent", "RelatedPerson", "AuditEvent", "Provenance", "Person", "Task", "Flag", "VerificationResult", "Group", "Subscription"}
	scope := "launch/patient patient/MedicationRequest.rs"
	for _, typ := range never {
		scope += " patient/" + typ + ".rs"
	}
	g, err := asks(ctx, t, scope, nil)
	if err != nil {
		return err
	}
	for _, typ := range types(g) {
		c.That(!slices.Contains(never, typ), "%s is granted", typ)
	}
	for _, typ := range never {
		for _, path := range []string{typ + "?patient=rosa", typ + "/rosa-victor"} {
			res, err := t.FHIR(ctx, g.Access(), path)
			if c.Note(err) {
				c.That(res.Status == http.StatusForbidden || res.Status == http.StatusNotFound, "%s: %s", path, res)
			}
		}
	}
	return c.Err()
}

func proxyLimits(ctx context.Context, t *kit.Target) error {
	const category = "http://terminology.hl7.org/CodeSystem/observation-category|"
	var c kit.Check
	ask := func(scope string) (*kit.Grant, error) {
		return t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: "launch/patient patient/Patient.rs " + scope, Visit: kit.Visit{Person: "elena", Patient: "joaquin"}})
	}
	g, err := ask("patient/Observation.rs?category=" + category + "social-history")
	if c.Note(err) {
		c.That(!slices.Contains(types(g), "Observation"), "what is not permitted is granted: %v", g.Scopes())
	}
	g, err = ask("patient/Observation.rs")
	if c.Note(err) {
		for _, s := range g.Scopes() {
			c.That(!strings.HasPrefix(s, "patient/Observation.") || strings.HasSuffix(s, "|laboratory"), "%s is more than the Consent permits", s)
		}
	}
	return c.Err()
}

func proxyWriteScopes(ctx context.Context, t *kit.Target) error {
	g, err := asks(ctx, t, "launch/patient patient/Appointment.cruds", changes)
	if err != nil {
		return err
	}
	var c kit.Check
	for _, s := range g.Scopes() {
		if rest, ok := strings.CutPrefix(s, "patient/"); ok {
			_, ops, _ := strings.Cut(rest, ".")
			c.That(!strings.Contains(ops, "?") && !strings.Contains(ops, "d") && strings.Contains(ops, "u"), "granted %s", s)
		}
	}
	res, err := t.Do(ctx, kit.Request{Method: http.MethodDelete, URL: t.FHIRBase + "/Appointment/none", Bearer: g.Access()})
	if c.Note(err) {
		c.That(res.Status == http.StatusForbidden, "a deletion: %s", res)
	}
	return c.Err()
}

// claims reads the body of a token that an app could read; nil of an opaque one.
func claims(token string) map[string]any {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var out map[string]any
	if json.Unmarshal(raw, &out) != nil {
		return nil
	}
	return out
}

func noLabels(ctx context.Context, t *kit.Target) error {
	g, err := elenaFor(ctx, t, "rosa")
	if err != nil {
		return err
	}
	told, err := t.Introspect(ctx, t.Client("symmetric"), g.Access())
	if err != nil {
		return err
	}
	body, err := json.Marshal(claims(g.Access()))
	if err != nil {
		return err
	}
	var c kit.Check
	for what, text := range map[string]string{"the scopes": g.Text("scope"), "the token": string(body), "introspection": string(told.Body), "the answer": string(g.Body)} {
		for _, label := range []string{"v3-Confidentiality", "v3-ActCode", "HIV", "42CFRPart2", "OPIOIDUD", "residual", "forbid"} {
			c.That(!strings.Contains(text, label), "%s name %s", what, label)
		}
	}
	return c.Err()
}

func proxyIdentity(ctx context.Context, t *kit.Target) error {
	g, err := elenaFor(ctx, t, "rosa")
	if err != nil {
		return err
	}
	own, err := t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: "openid fhirUser launch/patient patient/Patient.rs", Visit: kit.Visit{Person: "rosa"}})
	if err != nil {
		return err
	}
	mine, theirs := claims(g.Text("id_token")), claims(own.Text("id_token"))
	var c kit.Check
	user, _ := mine["fhirUser"].(string)
	c.That(strings.HasSuffix(user, "/"+daughter), "fhirUser is %q", user)
	c.That(g.Patient() == "rosa", "the patient is %q", g.Patient())
	c.That(mine["sub"] != nil && mine["sub"] != theirs["sub"], "the daughter's sub is %v, the patient's %v", mine["sub"], theirs["sub"])
	return c.Err()
}

// kept files a variant of the story's Consent that lets an app stay, launches under
// it, and gives the means to file it anew.
func kept(ctx context.Context, t *kit.Target, look func(g *kit.Grant, file func(func(document)) error) error) (err error) {
	var current document
	_, restore, err := variant(ctx, t, func(d document) {
		list, _ := d["category"].([]any)
		for _, raw := range list {
			text, _ := json.Marshal(raw)
			if strings.Contains(string(text), "INFAO") {
				set("coding", many{thing{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "INFA"}})(raw.(map[string]any))
			}
		}
		current = d
	})
	if restore != nil {
		defer func() {
			if failed := restore(); err == nil {
				err = failed
			}
		}()
	}
	if err != nil {
		return err
	}
	g, err := t.Launch(ctx, kit.Launch{
		Client: t.Client("public"), Scope: "launch/patient offline_access patient/MedicationRequest.rs patient/AllergyIntolerance.rs patient/Condition.rs",
		Visit: kit.Visit{Person: "elena", Patient: "rosa", Consent: func(f *kit.Form) { f.Tick("keep", true) }},
	})
	if err != nil {
		return err
	}
	version := 1
	return look(g, func(change func(document)) error {
		raw, err := json.Marshal(current)
		if err != nil {
			return err
		}
		next := document{}
		if err := json.Unmarshal(raw, &next); err != nil {
			return err
		}
		change(next)
		if raw, err = json.Marshal(next); err != nil {
			return err
		}
		res, err := t.Do(ctx, kit.Request{
			Method: http.MethodPut, URL: strings.TrimSuffix(t.AdminAPI.URL, "/") + "/consents/" + fmt.Sprint(current["id"]), Bearer: t.AdminAPI.Token,
			Type: "application/fhir+json", Body: strings.NewReader(string(raw)), Header: http.Header{"If-Match": {fmt.Sprintf(`W/"%d"`, version)}},
		})
		version++
		if err == nil && res.Status != http.StatusOK {
			err = fmt.Errorf("the Consent is not changed: %s %s", res, res.Body)
		}
		return err
	})
}

// onlyAllergies narrows a Consent, alsoConditions widens it.
func onlyAllergies(d document) { d.nested("MedicationRequest")["class"] = class("AllergyIntolerance") }

func alsoConditions(d document) {
	d.nested("MedicationRequest")["class"] = class("AllergyIntolerance", "MedicationRequest", "Condition")
}

func refreshFollows(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	err := kept(ctx, t, func(g *kit.Grant, file func(func(document)) error) error {
		if g.RefreshToken() == "" {
			return fmt.Errorf("no refresh token: %v", g.Scopes())
		}
		token := g.RefreshToken()
		for _, x := range []struct {
			what    string
			change  func(document)
			granted string
		}{
			{"narrowed", onlyAllergies, "patient/AllergyIntolerance.rs"},
			{"widened", alsoConditions, "patient/MedicationRequest.rs patient/AllergyIntolerance.rs"},
		} {
			if err := file(x.change); err != nil {
				return err
			}
			res, err := t.Refresh(ctx, g.Client, token, "")
			if err != nil {
				return err
			}
			var got []string
			for _, s := range strings.Fields(res.Text("scope")) {
				if strings.HasPrefix(s, "patient/") {
					got = append(got, s)
				}
			}
			want := strings.Fields(x.granted)
			slices.Sort(got)
			slices.Sort(want)
			c.That(res.Status == http.StatusOK && slices.Equal(got, want), "%s: %s with %v, not %v", x.what, res, got, want)
			token = res.Text("refresh_token")
		}
		return nil
	})
	c.Note(err)
	return c.Err()
}

func introspectionFollows(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	err := kept(ctx, t, func(g *kit.Grant, file func(func(document)) error) error {
		if err := file(onlyAllergies); err != nil {
			return err
		}
		told, err := t.Introspect(ctx, t.Client("symmetric"), g.Access())
		if err != nil {
			return err
		}
		c.That(told.JSON()["active"] == true && !strings.Contains(told.Text("scope"), "MedicationRequest") && strings.Contains(told.Text("scope"), "AllergyIntolerance"),
			"narrowed, introspection says %q", told.Text("scope"))
		for path, want := range map[string]int{"MedicationRequest?patient=rosa": http.StatusForbidden, "AllergyIntolerance?patient=rosa": http.StatusOK} {
			res, err := t.FHIR(ctx, g.Access(), path)
			if c.Note(err) {
				c.That(res.Status == want, "narrowed, %s: %s", path, res)
			}
		}
		if err := file(func(d document) { d["status"] = "inactive" }); err != nil {
			return err
		}
		told, err = t.Introspect(ctx, t.Client("symmetric"), g.Access())
		if err != nil {
			return err
		}
		c.That(told.JSON()["active"] == false && len(told.JSON()) == 1, "ended, introspection says %s", told.Body)
		dead(ctx, t, &c, "ended", g, "AllergyIntolerance?patient=rosa")
		return file(func(document) {})
	})
	c.Note(err)
	return c.Err()
}

func boundProxy(ctx context.Context, t *kit.Target) error {
	p, err := t.NewProver()
	if err != nil {
		return err
	}
	g, err := p.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: "launch/patient patient/MedicationRequest.rs", Visit: kit.Visit{Person: "elena", Patient: "rosa"}})
	if err != nil {
		return err
	}
	var c kit.Check
	res, err := t.FHIR(ctx, g.Access(), "MedicationRequest?patient=rosa")
	if c.Note(err) {
		c.That(res.Status == http.StatusUnauthorized, "without its key: %s", res)
	}
	return c.Err()
}

func serviceIsNobody(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, scope := range []string{"patient/MedicationRequest.rs", "launch/patient patient/MedicationRequest.rs", "user/MedicationRequest.rs"} {
		res, err := t.ClientCredentials(ctx, t.Client("backend"), scope)
		c.That(err != nil || res.Status >= http.StatusBadRequest, "%s is granted to a service: %s", scope, res)
	}
	token, err := t.ClientCredentials(ctx, t.Client("backend"), "system/MedicationRequest.rs")
	if !c.Note(err) {
		return c.Err()
	}
	told, err := t.Introspect(ctx, t.Client("backend"), token.Text("access_token"))
	if c.Note(err) {
		for _, name := range []string{"fhirUser", "patient", "act"} {
			c.That(told.JSON()[name] == nil, "a service's token has %s", name)
		}
	}
	return c.Err()
}

func functionTypes(ctx context.Context, t *kit.Target) error {
	g, err := asks(ctx, t, "launch/patient patient/*.cruds", changes)
	if err != nil {
		return err
	}
	var c kit.Check
	wrote := false
	for _, s := range g.Scopes() {
		rest, ok := strings.CutPrefix(s, "patient/")
		typ, ops, _ := strings.Cut(rest, ".")
		if !ok || !strings.ContainsAny(ops, "cud") {
			continue
		}
		wrote = true
		c.That(strings.HasPrefix(typ, "Appointment"), "%s", s)
	}
	c.That(wrote, "the function to change appointments opens nothing: %v", g.Scopes())
	res, err := post(ctx, t, g.Access(), "MedicationRequest", thing{
		"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": thing{"reference": "Patient/rosa"}, "medicationCodeableConcept": thing{"text": "x"},
	})
	if c.Note(err) {
		c.That(res.Status == http.StatusForbidden, "a proxy writes a prescription: %s", res)
	}
	return c.Err()
}
