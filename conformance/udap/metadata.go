package udap

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func metadata() []kit.Row {
	return []kit.Row{
		{ID: "SMART UDP-01", Title: "UDAP metadata is open to everybody, or 404", Run: metaOpen},
		{ID: "SMART UDP-02", Title: "the version is 1 and the profiles fit the grant types", Run: metaProfiles},
		{ID: "SMART UDP-03", Title: "extensions and certifications are listed with what is required", Run: metaExtensions},
		{ID: "SMART UDP-05", Title: "grant types fit the endpoints", Run: metaGrants},
		{ID: "SMART UDP-06", Title: "private_key_jwt, algorithms and endpoints are named", Run: metaEndpoints},
		{ID: "SMART UDP-07", Title: "scopes and registration algorithms are listed", Run: metaScopes},
		{ID: "SMART UDP-08", Title: "signed metadata verifies and says what the document says", Run: metaSigned},
		{ID: "SMART UDP-08b", Title: "signed metadata leads to the community's anchor", Needs: kit.UDAP, Run: metaAnchored},
		{ID: "SMART UDP-10", Title: "a community can be asked for; an unknown one gets 204 or the default", Needs: kit.UDAP, Run: metaCommunity},
		{ID: "SMART UDP-36", Title: "SMART and UDAP name the same endpoints", Run: metaAgrees},
	}
}

// document is the metadata as the checks read them.
type document struct {
	Versions               []string `json:"udap_versions_supported"`
	Profiles               []string `json:"udap_profiles_supported"`
	Extensions             []string `json:"udap_authorization_extensions_supported"`
	ExtensionsRequired     []string `json:"udap_authorization_extensions_required"`
	Certifications         []string `json:"udap_certifications_supported"`
	CertificationsRequired []string `json:"udap_certifications_required"`
	GrantTypes             []string `json:"grant_types_supported"`
	Scopes                 []string `json:"scopes_supported"`
	Authorize              string   `json:"authorization_endpoint"`
	Token                  string   `json:"token_endpoint"`
	TokenAuth              []string `json:"token_endpoint_auth_methods_supported"`
	TokenAlgs              []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	Register               string   `json:"registration_endpoint"`
	RegisterAlgs           []string `json:"registration_endpoint_jwt_signing_alg_values_supported"`
	Signed                 string   `json:"signed_metadata"`

	members map[string]any
}

func (d document) has(member string) bool { _, ok := d.members[member]; return ok }

// read gives the metadata. A server without UDAP has none, and its rows are not
// tested.
func read(ctx context.Context, t *kit.Target) (document, error) {
	res, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/.well-known/udap"})
	if err != nil {
		return document{}, err
	}
	if res.Status == http.StatusNotFound {
		return document{}, kit.Unmet{Why: "UDAP, which this server does not offer"}
	}
	var d document
	if err := json.Unmarshal(res.Body, &d); err != nil {
		return document{}, err
	}
	d.members = res.JSON()
	return d, nil
}

func metaOpen(ctx context.Context, t *kit.Target) error {
	res, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/.well-known/udap", Header: http.Header{"Accept": {"text/html"}}})
	if err != nil {
		return err
	}
	var c kit.Check
	if res.Status != http.StatusNotFound {
		c.That(res.Status == http.StatusOK && res.Media() == "application/json" && len(res.JSON()) > 0, "%s of type %q", res, res.Media())
	}
	return c.Err()
}

// on runs a check on the metadata.
func on(ctx context.Context, t *kit.Target, judge func(c *kit.Check, d document)) error {
	d, err := read(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	judge(&c, d)
	return c.Err()
}

func metaProfiles(ctx context.Context, t *kit.Target) error {
	return on(ctx, t, func(c *kit.Check, d document) {
		c.That(slices.Equal(d.Versions, []string{"1"}), "udap_versions_supported is %v", d.Versions)
		c.That(slices.Contains(d.Profiles, "udap_dcr") && slices.Contains(d.Profiles, "udap_authn"), "udap_profiles_supported is %v", d.Profiles)
		c.That(!slices.Contains(d.GrantTypes, "client_credentials") || slices.Contains(d.Profiles, "udap_authz"), "client_credentials without udap_authz")
	})
}

func metaExtensions(ctx context.Context, t *kit.Target) error {
	return on(ctx, t, func(c *kit.Check, d document) {
		c.That(d.has("udap_authorization_extensions_supported"), "udap_authorization_extensions_supported is missing")
		c.That(d.has("udap_certifications_supported"), "udap_certifications_supported is missing")
		c.That(len(d.Extensions) == 0 || d.has("udap_authorization_extensions_required"), "what is required of the extensions is missing")
		c.That(len(d.Certifications) == 0 || d.has("udap_certifications_required"), "what is required of the certifications is missing")
		c.That(!slices.Contains(d.GrantTypes, "client_credentials") || slices.Contains(d.Extensions, "hl7-b2b"), "client_credentials without hl7-b2b")
		for _, r := range append(d.ExtensionsRequired, d.CertificationsRequired...) {
			c.That(slices.Contains(d.Extensions, r) || slices.Contains(d.Certifications, r), "%s is required and not supported", r)
		}
	})
}

func metaGrants(ctx context.Context, t *kit.Target) error {
	return on(ctx, t, func(c *kit.Check, d document) {
		code := slices.Contains(d.GrantTypes, "authorization_code")
		c.That(len(d.GrantTypes) > 0, "no grant type")
		c.That(code || !slices.Contains(d.GrantTypes, "refresh_token"), "refresh_token without authorization_code")
		c.That(code == (d.Authorize != ""), "authorization_code %v, authorization_endpoint %q", code, d.Authorize)
	})
}

func metaEndpoints(ctx context.Context, t *kit.Target) error {
	return on(ctx, t, func(c *kit.Check, d document) {
		c.That(slices.Equal(d.TokenAuth, []string{"private_key_jwt"}), "token_endpoint_auth_methods_supported is %v", d.TokenAuth)
		c.That(slices.Contains(d.TokenAlgs, "RS256"), "token_endpoint_auth_signing_alg_values_supported is %v", d.TokenAlgs)
		for _, at := range []string{d.Token, d.Register} {
			u, err := url.Parse(at)
			c.That(err == nil && u.IsAbs() && u.Host != "", "an endpoint is %q", at)
		}
	})
}

func metaScopes(ctx context.Context, t *kit.Target) error {
	return on(ctx, t, func(c *kit.Check, d document) {
		c.That(len(d.Scopes) > 0, "no scope is listed")
		c.That(slices.Contains(d.RegisterAlgs, "RS256"), "registration_endpoint_jwt_signing_alg_values_supported is %v", d.RegisterAlgs)
	})
}

func metaSigned(ctx context.Context, t *kit.Target) error {
	return on(ctx, t, func(c *kit.Check, d document) {
		chain, payload, err := kit.ReadJWS(d.Signed)
		if !c.Note(err) {
			return
		}
		var s struct {
			Issuer    string `json:"iss"`
			Subject   string `json:"sub"`
			Issued    int64  `json:"iat"`
			Expires   int64  `json:"exp"`
			ID        string `json:"jti"`
			Authorize string `json:"authorization_endpoint"`
			Token     string `json:"token_endpoint"`
			Register  string `json:"registration_endpoint"`
		}
		c.Note(json.Unmarshal(payload, &s))
		named := slices.ContainsFunc(chain[0].URIs, func(u *url.URL) bool { return u.String() == t.FHIRBase })
		c.That(named, "the certificate does not name %s", t.FHIRBase)
		c.That(s.Issuer == t.FHIRBase && s.Subject == t.FHIRBase, "iss %q, sub %q", s.Issuer, s.Subject)
		c.That(s.Expires > s.Issued && s.Expires-s.Issued <= 366*24*3600 && s.ID != "", "iat %d, exp %d, jti %q", s.Issued, s.Expires, s.ID)
		if t.Has()&kit.Clock != 0 {
			now := t.Now().Unix()
			c.That(s.Issued <= now+60 && s.Expires > now, "iat %d, exp %d at %d", s.Issued, s.Expires, now)
		}
		c.That(s.Authorize == d.Authorize && s.Token == d.Token && s.Register == d.Register, "signed and unsigned endpoints differ")
	})
}

func metaAnchored(ctx context.Context, t *kit.Target) error {
	return on(ctx, t, func(c *kit.Check, d document) { anchored(c, t, d) })
}

// anchored verifies the chain of signed metadata to the anchor that we know.
func anchored(c *kit.Check, t *kit.Target, d document) {
	chain, _, err := kit.ReadJWS(d.Signed)
	if !c.Note(err) {
		return
	}
	authority, err := t.UDAPCA.Authority()
	if !c.Note(err) {
		return
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(authority.Certificate)
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: t.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	c.Note(err)
}

func metaCommunity(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	ask := func(community string) *kit.Response {
		res, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/.well-known/udap?community=" + url.QueryEscape(community)})
		if !c.Note(err) {
			return &kit.Response{Header: http.Header{}}
		}
		return res
	}
	known := ask(t.UDAPCA.URI)
	var d document
	if c.That(known.Status == http.StatusOK && json.Unmarshal(known.Body, &d) == nil, "the known community: %s", known) {
		anchored(&c, t, d)
	}
	for _, unknown := range []string{"https://nobody.example/", t.UDAPCA.URI + "/", strings.ToUpper(t.UDAPCA.URI)} {
		res := ask(unknown)
		if res.Status == http.StatusOK {
			c.That(len(res.JSON()) > 0, "%s: %s", unknown, res)
		} else {
			c.That(res.Status == http.StatusNoContent && len(res.Body) == 0, "%s: %s", unknown, res)
		}
	}
	return c.Err()
}

func metaAgrees(ctx context.Context, t *kit.Target) error {
	return on(ctx, t, func(c *kit.Check, d document) {
		c.That(d.Token == t.Config.Token, "token_endpoint %q and %q", d.Token, t.Config.Token)
		c.That(d.Authorize == t.Config.Authorize, "authorization_endpoint %q and %q", d.Authorize, t.Config.Authorize)
	})
}
