package oauth

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func metadata() []kit.Row {
	return []kit.Row{
		{ID: "RFC8414 2", Title: "the server metadata is complete and says what the SMART configuration says", Run: serverMetadata},
		{ID: "RFC9728 3.1", Title: "the FHIR base has metadata that names it and its authorization server", Run: resourceMetadata},
		{ID: "RFC9728 5.1", Title: "a 401 of the FHIR base leads to that metadata", Run: resourceChallenge},
	}
}

// insertedAt gives a well-known address between the host and the path of a URL
// (RFC 8414 §3.1, RFC 9728 §3.1).
func insertedAt(base, name string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	u.Path = strings.TrimSuffix("/.well-known/"+name+u.Path, "/")
	return u.String()
}

func serverMetadata(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	res, err := t.Do(ctx, kit.Request{URL: insertedAt(t.Config.Issuer, "oauth-authorization-server")})
	if err != nil {
		return err
	}
	smart, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/.well-known/smart-configuration"})
	if err != nil {
		return err
	}
	doc, same := res.JSON(), smart.JSON()
	c.That(res.Status == http.StatusOK && res.Media() == "application/json", "%s %s", res, res.Media())
	c.That(res.Text("issuer") == t.Config.Issuer, "issuer is %q", res.Text("issuer"))
	for _, member := range []string{"authorization_endpoint", "token_endpoint", "jwks_uri",
		"response_types_supported", "grant_types_supported", "scopes_supported", "code_challenge_methods_supported"} {
		c.That(doc[member] != nil, "%s is missing", member)
	}
	for member, value := range doc {
		if member == "token_endpoint_auth_signing_alg_values_supported" {
			// The issuer may tell further ones, for clients that are registered so.
			all, _ := value.([]any)
			every, _ := same[member].([]any)
			c.That(len(all) >= len(every) && reflect.DeepEqual(all[:len(every)], every), "%s does not begin with that of the SMART configuration", member)
			continue
		}
		c.That(same[member] == nil || reflect.DeepEqual(value, same[member]), "%s is not that of the SMART configuration", member)
		if s, ok := value.(string); ok && strings.HasSuffix(member, "_endpoint") {
			u, err := url.Parse(s)
			c.That(err == nil && u.IsAbs(), "%s is %q", member, s)
		}
	}
	for _, endpoint := range []string{"token", "introspection", "revocation"} {
		methods, _ := doc[endpoint+"_endpoint_auth_methods_supported"].([]any)
		algs, _ := doc[endpoint+"_endpoint_auth_signing_alg_values_supported"].([]any)
		c.That(!slices.Contains(methods, any("private_key_jwt")) || len(algs) > 0 && !slices.Contains(algs, any("none")), "the algorithms at the %s endpoint are %v", endpoint, algs)
	}
	return c.Err()
}

func resourceMetadata(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	bases := map[string]string{t.FHIRBase: t.Config.Issuer}
	for _, other := range t.Ready.Tenants {
		bases[other.FHIRBase] = other.Issuer
	}
	for base, issuer := range bases {
		res, err := t.Do(ctx, kit.Request{URL: insertedAt(base, "oauth-protected-resource"), Header: http.Header{"Origin": {"https://app.example"}}})
		if !c.Note(err) {
			continue
		}
		var doc struct {
			Resource string   `json:"resource"`
			Servers  []string `json:"authorization_servers"`
			Methods  []string `json:"bearer_methods_supported"`
		}
		c.That(res.Status == http.StatusOK && res.Media() == "application/json" && json.Unmarshal(res.Body, &doc) == nil, "%s %s", res, res.Media())
		c.That(doc.Resource == base, "resource is %q, not %q", doc.Resource, base)
		c.That(slices.Contains(doc.Servers, issuer), "authorization_servers are %q", doc.Servers)
		c.That(slices.Equal(doc.Methods, []string{"header"}), "bearer_methods_supported is %q", doc.Methods)
		c.That(res.Header.Get("Access-Control-Allow-Origin") == "*", "browsers may not read it")
	}
	return c.Err()
}

func resourceChallenge(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, credential := range []string{"", "Bearer garbage", "DPoP garbage"} {
		r := kit.Request{URL: t.FHIRBase + "/Patient/x", Header: http.Header{}}
		if credential != "" {
			r.Header.Set("Authorization", credential)
		}
		if res, err := t.Do(ctx, r); c.Note(err) {
			challenge := strings.Join(res.Header.Values("WWW-Authenticate"), ", ")
			want := `resource_metadata="` + insertedAt(t.FHIRBase, "oauth-protected-resource") + `"`
			c.That(res.Status == http.StatusUnauthorized && strings.Contains(challenge, want), "with %q: %s, %s", credential, res, challenge)
		}
	}
	return c.Err()
}
