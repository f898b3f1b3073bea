package smart

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// listed holds the rows that compare what a server says of itself with what it
// does.
func listed() []kit.Row {
	return []kit.Row{
		{ID: "SMART DISC-10b", Title: "every listed grant type is known to the token endpoint", Needs: kit.Login | kit.Symmetric, Run: listedGrants},
		{ID: "SMART DISC-11b", Title: "every listed way of authentication works", Needs: kit.Login | kit.Symmetric | kit.Asymmetric, Run: listedMethods},
		{ID: "SMART DISC-13b", Title: "every listed scope is granted when asked", Needs: kit.Login | kit.Backend, Run: listedScopes},
		{ID: "SMART DISC-14b", Title: "what is not listed is not served", Needs: kit.Login, Run: listedNothingElse},
		{ID: "SMART DISC-17", Title: "associated endpoints, where given, are objects with an absolute URL", Run: listedAssociated},
		{ID: "SMART DISC-21", Title: "two FHIR bases share neither audience nor issuer nor keys", Also: []string{"TOK-12", "LAU-02"}, Needs: kit.Login | kit.Tenants, Run: listedBases},
		{ID: "SMART OID-11", Title: "claims, request objects and UserInfo are as advertised", Needs: kit.Login, Run: listedOpenID},
		{ID: "SMART TLS-01", Title: "TLS 1.1 is refused, and clear text is not offered", Run: listedTLS},
		{ID: "SMART CST-02", Title: "oauth-uris, where given, agree with the configuration", Run: listedURIs},
		{ID: "SMART US-34", Title: "the capabilities of International Patient Access are claimed, and one of several is picked", Needs: kit.Login | kit.Proxies, Run: listedIPA},
	}
}

func listedGrants(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, grant := range t.Config.GrantTypes {
		res, err := t.Call(ctx, t.Config.Token, t.Client("symmetric"), form("grant_type", grant))
		if c.Note(err) {
			c.That(res.Status >= 400 && res.Text("error") != "unsupported_grant_type", "%s is listed: %s", grant, res)
		}
	}
	c.That(slices.Contains(t.Config.GrantTypes, "refresh_token"), "refresh_token works but is not listed")
	return c.Err()
}

func listedMethods(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	c.That(len(t.Config.TokenAuthMethods) > 0, "nothing is listed")
	symmetric := t.Client("symmetric")
	for _, method := range t.Config.TokenAuthMethods {
		var r kit.Request
		var err error
		client := symmetric
		switch method {
		case "client_secret_basic", "client_secret_post", "none":
		case "private_key_jwt":
			client = t.Client("asymmetric")
		default:
			continue // of another specification
		}
		if method == "none" {
			client = t.Client("public")
		}
		g, err := offline(ctx, t, client.Kind)
		if !c.Note(err) {
			continue
		}
		f := form("grant_type", "refresh_token", "refresh_token", g.RefreshToken())
		if method == "client_secret_post" {
			f.Set("client_id", client.ID)
			f.Set("client_secret", client.Secret)
			r = kit.Request{URL: t.Config.Token, Form: f}
		} else if r, err = t.As(client, kit.Request{URL: t.Config.Token, Form: f}); !c.Note(err) {
			continue
		}
		res, err := t.Do(ctx, r)
		if c.Note(err) {
			c.That(res.Status == http.StatusOK, "%s: %s", method, res)
		}
	}
	return c.Err()
}

// scopesAtOnce is how many scopes one request asks for.
const scopesAtOnce = 40

// tickEverything allows every kind of data, whole, and every act.
func tickEverything(f *kit.Form) {
	for _, field := range f.Fields {
		if field.Type == "checkbox" && !strings.HasPrefix(field.Name, "topic.") && !strings.HasPrefix(field.Name, "cat.") {
			field.Checked = true
		}
	}
}

func listedScopes(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	people, systems := []string{}, []string{}
	for _, s := range t.Config.Scopes {
		switch {
		case strings.HasPrefix(s, "system/"):
			systems = append(systems, s)
		case s == "launch" || s == "online_access" || s == "launch/encounter":
			// They need a launch by the EHR; rows of their own ask for them.
		default:
			people = append(people, s)
		}
	}
	for part := range slices.Chunk(people, scopesAtOnce) {
		v := visit(t)
		v.Consent = tickEverything
		g, err := t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: "launch/patient " + strings.Join(part, " "), Visit: v})
		if !c.Note(err) {
			continue
		}
		for _, s := range part {
			needsOpenID := s == "fhirUser" || s == "profile"
			c.That(slices.Contains(g.Scopes(), s) || needsOpenID && !slices.Contains(part, "openid"), "%s is listed, asked, allowed and not granted", s)
		}
	}
	if len(systems) > 0 {
		res, err := t.ClientCredentials(ctx, t.Client("backend"), strings.Join(systems, " "))
		if c.Note(err) {
			for _, s := range systems {
				c.That(slices.Contains(strings.Fields(res.Text("scope")), s), "%s is listed and not granted: %s", s, res)
			}
		}
	}
	c.That(len(people) > 0, "no scope for people is listed")
	return c.Err()
}

// tryouts are requests that only a server with a feature understands.
var tryouts = []struct {
	member string // of the configuration
	value  string // in it, where it is a list
	bend   func(url.Values)
}{
	{"request_parameter_supported", "", func(v url.Values) { v.Set("request", "eyJhbGciOiJub25lIn0.e30.") }},
	{"request_uri_parameter_supported", "", func(v url.Values) { v.Set("request_uri", "https://evil.example/request.jwt") }},
	{"response_modes_supported", "fragment", func(v url.Values) { v.Set("response_mode", "fragment") }},
	{"response_modes_supported", "form_post", func(v url.Values) { v.Set("response_mode", "form_post") }},
	{"response_types_supported", "token", func(v url.Values) { v.Set("response_type", "token") }},
}

// advertises looks for a member of one of the two documents.
func advertises(docs []map[string]any, member, value string) bool {
	for _, doc := range docs {
		switch v := doc[member].(type) {
		case bool:
			if v {
				return true
			}
		case []any:
			if slices.Contains(v, any(value)) {
				return true
			}
		}
	}
	return false
}

func documents(ctx context.Context, t *kit.Target) ([]map[string]any, error) {
	var out []map[string]any
	for _, u := range []string{configurationURL(t), strings.TrimSuffix(t.Config.Issuer, "/") + "/.well-known/openid-configuration"} {
		res, err := t.Do(ctx, kit.Request{URL: u})
		if err != nil {
			return nil, err
		}
		out = append(out, res.JSON())
	}
	return out, nil
}

func listedNothingElse(ctx context.Context, t *kit.Target) error {
	docs, err := documents(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	for _, x := range tryouts {
		if advertises(docs, x.member, x.value) {
			continue
		}
		req, _ := request(t)
		x.bend(req)
		refused(ctx, t, &c, x.member+" "+x.value, req, true)
	}
	return c.Err()
}

func listedAssociated(ctx context.Context, t *kit.Target) error {
	res, err := t.Do(ctx, kit.Request{URL: configurationURL(t)})
	if err != nil {
		return err
	}
	list, given := res.JSON()["associated_endpoints"]
	if !given {
		return kit.Unmet{Why: "associated_endpoints in the configuration, which are optional"}
	}
	var c kit.Check
	all, ok := list.([]any)
	c.That(ok, "associated_endpoints is no list")
	for _, raw := range all {
		one, _ := raw.(map[string]any)
		text, _ := one["url"].(string)
		u, err := url.Parse(text)
		_, capabilities := one["capabilities"].([]any)
		c.That(err == nil && u.IsAbs() && capabilities, "%v", one)
	}
	return c.Err()
}

func listedBases(ctx context.Context, t *kit.Target) error {
	g, err := standard(ctx, t, "public")
	if err != nil {
		return err
	}
	var c kit.Check
	for _, other := range t.Tenants {
		there, err := kit.NewTarget(ctx, kit.Ready{FHIRBase: other.FHIRBase, CAFile: t.CAFile})
		if !c.Note(err) {
			continue
		}
		c.That(there.Config.Issuer != t.Config.Issuer && there.Config.Token != t.Config.Token, "both bases have issuer %q", t.Config.Issuer)
		res, err := there.FHIR(ctx, g.Access(), "Patient/"+g.Patient())
		if c.Note(err) {
			c.That(res.Status == http.StatusUnauthorized, "a token of one base at the other: %s", res)
		}
		req, _ := request(t)
		req.Set("aud", other.FHIRBase)
		refused(ctx, t, &c, "aud of the other base", req, true)
		here, err := t.Do(ctx, kit.Request{URL: t.Config.JWKSURI})
		c.Note(err)
		theirs, err := there.Do(ctx, kit.Request{URL: there.Config.JWKSURI})
		if c.Note(err) && here != nil {
			for kid := range keyIDs(here) {
				c.That(!keyIDs(theirs)[kid], "both bases publish the key %s", kid)
			}
		}
	}
	return c.Err()
}

func keyIDs(res *kit.Response) map[string]bool {
	out := map[string]bool{}
	keys, _ := res.JSON()["keys"].([]any)
	for _, raw := range keys {
		k, _ := raw.(map[string]any)
		kid, _ := k["kid"].(string)
		out[kid] = true
	}
	return out
}

func listedOpenID(ctx context.Context, t *kit.Target) error {
	docs, err := documents(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	g, err := standard(ctx, t, "public")
	if !c.Note(err) {
		return c.Err()
	}
	if u, _ := docs[1]["userinfo_endpoint"].(string); u != "" {
		res, err := t.Do(ctx, kit.Request{URL: u, Bearer: g.Access()})
		if c.Note(err) {
			c.That(res.Status == http.StatusOK && res.Text("sub") != "", "UserInfo: %s", res)
		}
		plain, _, err := granted(ctx, t, "launch/patient patient/Patient.rs")
		if c.Note(err) && plain != nil {
			res, err = t.Do(ctx, kit.Request{URL: u, Bearer: plain.Access()})
			if c.Note(err) {
				c.That(res.Status == http.StatusUnauthorized || res.Status == http.StatusForbidden, "UserInfo without openid: %s", res)
			}
		}
	}
	req, _ := request(t)
	req.Set("claims", `{"id_token":{"email":{"essential":true}}}`)
	a, err := t.Authorize(ctx, req, visit(t))
	if c.Note(err) {
		c.That(advertises(docs, "claims_parameter_supported", "") || a.Code() != "", "an unknown parameter claims is not ignored: %s", a)
	}
	return c.Err()
}

func listedTLS(ctx context.Context, t *kit.Target) error {
	u, err := url.Parse(t.FHIRBase)
	if err != nil {
		return err
	}
	if u.Scheme != "https" {
		return kit.Unmet{Why: "a server that speaks https"}
	}
	var c kit.Check
	host := u.Host
	if u.Port() == "" {
		host += ":443"
	}
	//nolint:gosec // that old versions are refused is what is looked at
	old := &tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, InsecureSkipVerify: true}}
	conn, err := old.DialContext(ctx, "tcp", host)
	if err == nil {
		err = errors.Join(nil, conn.Close())
		c.That(false, "TLS 1.1 is spoken (%v)", err)
	}
	for name, value := range map[string]string{"token_endpoint": t.Config.Token, "authorization_endpoint": t.Config.Authorize, "jwks_uri": t.Config.JWKSURI} {
		c.That(value == "" || strings.HasPrefix(value, "https://"), "%s is %s", name, value)
	}
	return c.Err()
}

func listedURIs(ctx context.Context, t *kit.Target) error {
	res, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/metadata"})
	if err != nil {
		return err
	}
	const extension = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
	if !strings.Contains(string(res.Body), extension) {
		return kit.Unmet{Why: "the extension oauth-uris, which is deprecated"}
	}
	var c kit.Check
	for _, endpoint := range []string{t.Config.Authorize, t.Config.Token} {
		c.That(strings.Contains(string(res.Body), `"`+endpoint+`"`), "oauth-uris lacks %s", endpoint)
	}
	return c.Err()
}

func listedIPA(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	c.Note(claimed(t, "launch-standalone", "context-standalone-patient", "permission-patient", "permission-offline", "sso-openid-connect",
		"client-public", "client-confidential-asymmetric"))
	a, err := t.Authorize(ctx, t.AuthorizeRequest(t.Client("public"), "launch/patient patient/Patient.rs", t.NewVerifier()), kit.Visit{Person: "elena", Patient: "rosa"})
	if c.Note(err) {
		c.That(a.PatientPage != nil && len(a.PatientPage.FormWith("patient").Named("patient")) > 1, "somebody with several records was not asked for one")
	}
	return c.Err()
}
