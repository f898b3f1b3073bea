package oauth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func backend() []kit.Row {
	return []kit.Row{
		{ID: "SMART BKS-01", Title: "a missing scope is refused", Needs: kit.Backend, Run: bksScope},
		{ID: "SMART BKS-02", Title: "scopes stay within those registered", Also: []string{"SCP-27"}, Needs: kit.Backend, Run: bksRegistered},
		{ID: "SMART BKS-02b", Title: "a wider request of a service registered for one type is narrowed or refused", Needs: kit.Narrow, Run: bksNarrow},
		{ID: "SMART BKS-03", Title: "the answer has its members", Also: []string{"CAP-06", "DISC-10"}, Needs: kit.Backend, Run: bksMembers},
		{ID: "SMART BKS-04", Title: "expires_in is at most 300", Needs: kit.Backend, Run: bksLife},
		{ID: "SMART BKS-05", Title: "no refresh token and no id_token", Needs: kit.Backend, Run: bksNoRefresh},
		{ID: "SMART BKS-06", Title: "errors follow RFC 6749 with a description", Needs: kit.Backend, Run: bksErrors},
		{ID: "SMART BKS-07", Title: "a type outside the token's scope is 403", Needs: kit.Backend, Run: bksOutside},
		{ID: "SMART CAP-06b", Title: "a public client cannot use client_credentials", Needs: kit.Login, Run: bksPublic},
	}
}

func bksScope(ctx context.Context, t *kit.Target) error {
	res, err := t.ClientCredentials(ctx, t.Client("backend"), "")
	if err != nil {
		return err
	}
	var c kit.Check
	code := res.Text("error")
	c.That(res.Status == http.StatusBadRequest && (code == "invalid_scope" || code == "invalid_request"), "%s", res)
	return c.Err()
}

func bksRegistered(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, scope := range []string{"patient/Patient.rs", "user/*.rs", "openid fhirUser", "offline_access", "launch/patient"} {
		res, err := t.ClientCredentials(ctx, t.Client("backend"), scope+" "+systemScope)
		if !c.Note(err) {
			continue
		}
		if res.Status == http.StatusOK {
			c.That(res.Text("scope") == systemScope, "%q was granted as %q", scope, res.Text("scope"))
		} else {
			c.That(res.Text("error") == "invalid_scope", "%q: %s", scope, res)
		}
	}
	return c.Err()
}

func bksMembers(ctx context.Context, t *kit.Target) error {
	res, err := t.ClientCredentials(ctx, t.Client("backend"), systemScope)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Status == http.StatusOK, "%s", res)
	c.That(res.Text("access_token") != "" && strings.EqualFold(res.Text("token_type"), "bearer"), "token_type is %v", res.JSON()["token_type"])
	_, number := res.JSON()["expires_in"].(float64)
	c.That(number, "expires_in is %v", res.JSON()["expires_in"])
	c.That(res.Text("scope") == systemScope, "scope is %q", res.Text("scope"))
	return c.Err()
}

func bksLife(ctx context.Context, t *kit.Target) error {
	res, err := t.ClientCredentials(ctx, t.Client("backend"), systemScope)
	if err != nil {
		return err
	}
	if life, _ := res.JSON()["expires_in"].(float64); life <= 0 || life > 300 {
		return fmt.Errorf("expires_in is %v", res.JSON()["expires_in"])
	}
	return nil
}

func bksNoRefresh(ctx context.Context, t *kit.Target) error {
	res, err := t.ClientCredentials(ctx, t.Client("backend"), systemScope+" offline_access openid")
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Text("refresh_token") == "", "a refresh token was given")
	c.That(res.Text("id_token") == "", "an id_token was given")
	return c.Err()
}

func bksErrors(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client := t.Client("backend")
	for grant, want := range map[string]string{"authorization_code": "", "not_a_grant_type": "unsupported_grant_type"} {
		res, err := t.Call(ctx, t.Config.Token, client, url.Values{"grant_type": {grant}, "scope": {systemScope}})
		if c.Note(err) {
			c.That(res.Status == http.StatusBadRequest && (want == "" || res.Text("error") == want), "%s: %s", grant, res)
			c.That(res.Text("error_description") != "" || res.Text("error_uri") != "", "%s: neither error_description nor error_uri", grant)
		}
	}
	return c.Err()
}

func bksOutside(ctx context.Context, t *kit.Target) error {
	res, err := t.ClientCredentials(ctx, t.Client("backend"), systemScope)
	if err != nil {
		return err
	}
	var c kit.Check
	token := res.Text("access_token")
	inside, err := t.FHIR(ctx, token, "Patient?_count=2")
	if c.Note(err) {
		c.That(inside.Status == http.StatusOK && len(inside.Entries()) > 0, "Patient: %s with %d entries", inside, len(inside.Entries()))
	}
	for _, path := range []string{"Observation?_count=1", "Condition", "Observation/rosa-current-bp", "?_type=Observation", "Patient?_revinclude=Observation:subject&_count=1"} {
		out, err := t.FHIR(ctx, token, path)
		if !c.Note(err) {
			continue
		}
		if strings.HasPrefix(path, "Patient") {
			for _, e := range out.Entries() {
				c.That(e.Type == "Patient" || e.Type == "OperationOutcome", "%s shows %s/%s", path, e.Type, e.ID)
			}
			continue
		}
		c.That(out.Status == http.StatusForbidden, "%s", out)
	}
	return c.Err()
}

func bksPublic(ctx context.Context, t *kit.Target) error {
	res, err := t.ClientCredentials(ctx, t.Client("public"), systemScope)
	if err != nil {
		return err
	}
	if res.Status != 400 && res.Status != 401 {
		return fmt.Errorf("%s", res)
	}
	return nil
}

func bksNarrow(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, scope := range []string{"system/*.cruds", "system/Patient.cruds", "system/Patient.rs system/Observation.rs", "system/*.rs"} {
		res, err := t.ClientCredentials(ctx, t.NarrowClient(), scope)
		if !c.Note(err) {
			continue
		}
		if res.Status != http.StatusOK {
			c.That(res.Text("error") == "invalid_scope", "%q: %s", scope, res)
			continue
		}
		c.That(res.Text("scope") == "system/Patient.rs", "%q was granted as %q", scope, res.Text("scope"))
		out, err := t.FHIR(ctx, res.Text("access_token"), "Observation?_count=1")
		if c.Note(err) {
			c.That(out.Status == http.StatusForbidden, "%q: %s", scope, out)
		}
	}
	return c.Err()
}
