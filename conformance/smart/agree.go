package smart

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// publishedAt is where a server says what it offers, by what they are called here.
func publishedAt(t *kit.Target) map[string]string {
	return map[string]string{
		"smart-configuration":        configurationURL(t),
		"openid-configuration":       t.Config.Issuer + "/.well-known/openid-configuration",
		"oauth-authorization-server": t.Config.Issuer + "/.well-known/oauth-authorization-server",
	}
}

// discAgree compares the documents with one another and each of their addresses
// with what answers there.
func discAgree(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	all := map[string]map[string]any{}
	for name, address := range publishedAt(t) {
		var first []byte
		for _, accept := range []string{"", "text/html", "application/fhir+xml", "application/json;q=0"} {
			r := kit.Request{URL: address, Header: http.Header{}}
			if accept != "" {
				r.Header.Set("Accept", accept)
			}
			res, err := t.Do(ctx, r)
			if err != nil {
				return err
			}
			if res.Status == http.StatusNotFound && name != "smart-configuration" {
				continue
			}
			if first == nil {
				first, all[name] = res.Body, res.JSON()
			}
			c.That(res.Status == http.StatusOK && string(res.Body) == string(first), "%s with Accept %q: %s is another document", name, accept, res)
		}
	}
	smart := all["smart-configuration"]
	for name, d := range all {
		for member, v := range d {
			other, shared := smart[member]
			// The issuer may list further algorithms, for clients that are registered so;
			// what SMART lists works for each client (DISC-12).
			if list, ok := v.([]any); ok && member == "token_endpoint_auth_signing_alg_values_supported" {
				every, _ := other.([]any)
				v = any(list[:min(len(list), len(every))])
			}
			c.That(!shared || reflect.DeepEqual(v, other), "%s of %s differs from the SMART configuration", member, name)
			c.Note(named(ctx, t, &c, name+" "+member, v))
		}
	}
	c.Note(statementAgrees(ctx, t, &c, smart))
	return c.Err()
}

// named asks for what a document names.
func named(ctx context.Context, t *kit.Target, c *kit.Check, what string, v any) error {
	address, ok := v.(string)
	if !ok || !strings.HasSuffix(what, "_endpoint") && !strings.HasSuffix(what, "_uri") && !strings.HasSuffix(what, "_bundle") {
		return nil
	}
	if u, err := url.Parse(address); err != nil || u.Host == "" {
		c.That(false, "%s is no address", what)
		return nil
	}
	res, err := t.Do(ctx, kit.Request{URL: address})
	if err == nil {
		c.That(res.Status != http.StatusNotFound && res.Status < 500, "%s: %s", what, res)
	}
	return err
}

// statementAgrees compares the addresses in the CapabilityStatement.
func statementAgrees(ctx context.Context, t *kit.Target, c *kit.Check, smart map[string]any) error {
	res, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/metadata"})
	if err != nil {
		return err
	}
	var statement struct {
		Rest []struct {
			Security struct {
				Extension []struct {
					Extension []struct {
						URL string `json:"url"`
						URI string `json:"valueUri"`
					} `json:"extension"`
				} `json:"extension"`
			} `json:"security"`
		} `json:"rest"`
	}
	if err := json.Unmarshal(res.Body, &statement); err != nil {
		return err
	}
	members := map[string]string{
		"authorize": "authorization_endpoint", "token": "token_endpoint", "introspect": "introspection_endpoint", "revoke": "revocation_endpoint",
		"manage": "management_endpoint", "register": "registration_endpoint",
	}
	for _, rest := range statement.Rest {
		for _, x := range rest.Security.Extension {
			for _, uri := range x.Extension {
				if member := members[uri.URL]; member != "" {
					c.That(smart[member] == uri.URI, "the CapabilityStatement's %s is %s", uri.URL, uri.URI)
				}
			}
		}
	}
	return nil
}
