package smart

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/conformance/kit"
)

func openID() []kit.Row {
	return []kit.Row{
		{ID: "SMART OID-01", Title: "openid gives an id_token, and only then", Needs: kit.Login, Run: oidGiven},
		{ID: "SMART OID-02", Title: "the id_token is signed RS256 by a published key", Also: []string{"CAP-07"}, Needs: kit.Login, Run: oidSigned},
		{ID: "SMART OID-04", Title: "fhirUser is in the id_token", Also: []string{"CAP-07"}, Needs: kit.Login, Run: oidUser},
		{ID: "SMART OID-05", Title: "fhirUser resolves to a readable resource", Needs: kit.Login, Run: oidResolves},
		{ID: "SMART OID-06", Title: "fhirUser of a proxy is the RelatedPerson", Also: []string{"PRX-03"}, Needs: kit.Login | kit.Proxies, Run: oidProxy},
		{ID: "SMART OID-08", Title: "a person without a FHIR resource gets no fhirUser", Needs: kit.Login | kit.Proxies, Run: oidNobody},
		{ID: "SMART OID-09", Title: "iss, sub, aud, exp, iat and nonce are right, sub is stable", Also: []string{"CAP-07", "DISC-09"}, Needs: kit.Login, Run: oidClaims},
		{ID: "SMART OID-12", Title: "a clinician's app reads its fhirUser", Needs: kit.Login | kit.Launcher | kit.Proxies, Run: oidClinician},
	}
}

// idToken verifies an id_token with the published keys and gives its claims.
func idToken(ctx context.Context, t *kit.Target, raw string) (map[string]any, error) {
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, fmt.Errorf("the id_token is not a JWS with RS256: %w", err)
	}
	res, err := t.Do(ctx, kit.Request{URL: t.Config.JWKSURI})
	if err != nil {
		return nil, err
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(res.Body, &keys); err != nil {
		return nil, err
	}
	found := keys.Key(signed.Signatures[0].Protected.KeyID)
	if len(found) != 1 {
		return nil, fmt.Errorf("%d keys have the kid of the id_token", len(found))
	}
	payload, err := signed.Verify(found[0])
	if err != nil {
		return nil, err
	}
	claims := map[string]any{}
	return claims, json.Unmarshal(payload, &claims)
}

func oidGiven(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	g, err := standard(ctx, t, "public")
	if c.Note(err) {
		c.That(g.Text("id_token") != "", "no id_token although openid was granted")
	}
	g, _, err = granted(ctx, t, "launch/patient patient/Patient.rs")
	if c.Note(err) && g != nil {
		c.That(g.Text("id_token") == "", "an id_token although openid was not asked")
	}
	return c.Err()
}

func oidSigned(ctx context.Context, t *kit.Target) error {
	g, err := standard(ctx, t, "public")
	if err != nil {
		return err
	}
	_, err = idToken(ctx, t, g.Text("id_token"))
	return err
}

func oidUser(ctx context.Context, t *kit.Target) error {
	g, err := standard(ctx, t, "public")
	if err != nil {
		return err
	}
	claims, err := idToken(ctx, t, g.Text("id_token"))
	if err != nil {
		return err
	}
	if user, _ := claims["fhirUser"].(string); !strings.HasSuffix(user, t.Person(t.Patient()).FHIRUser) || user == "" {
		return fmt.Errorf("fhirUser is %v", claims["fhirUser"])
	}
	return nil
}

// resolve makes fhirUser a path below the FHIR base.
func resolve(t *kit.Target, user string) string { return strings.TrimPrefix(user, t.FHIRBase+"/") }

func oidResolves(ctx context.Context, t *kit.Target) error {
	g, err := standard(ctx, t, "public")
	if err != nil {
		return err
	}
	claims, err := idToken(ctx, t, g.Text("id_token"))
	if err != nil {
		return err
	}
	user, _ := claims["fhirUser"].(string)
	res, err := t.FHIR(ctx, g.Access(), resolve(t, user))
	if err != nil {
		return err
	}
	if res.Status != http.StatusOK {
		return fmt.Errorf("%s", res)
	}
	return nil
}

func oidProxy(ctx context.Context, t *kit.Target) error {
	g, err := t.Launch(ctx, kit.Launch{
		Client: t.Client("public"), Scope: "openid fhirUser launch/patient patient/Patient.rs", Visit: kit.Visit{Person: "elena", Patient: "rosa"},
	})
	if err != nil {
		return err
	}
	claims, err := idToken(ctx, t, g.Text("id_token"))
	if err != nil {
		return err
	}
	own, err := standard(ctx, t, "public")
	if err != nil {
		return err
	}
	hers, err := idToken(ctx, t, own.Text("id_token"))
	if err != nil {
		return err
	}
	var c kit.Check
	user, _ := claims["fhirUser"].(string)
	c.That(resolve(t, user) == "RelatedPerson/rosa-elena", "fhirUser is %q", user)
	c.That(g.Patient() == "rosa", "patient is %q", g.Patient())
	c.That(claims["sub"] != hers["sub"], "the proxy and the patient have one sub")
	return c.Err()
}

func oidNobody(ctx context.Context, t *kit.Target) error {
	verifier := t.NewVerifier()
	client := t.Client("public")
	req := t.AuthorizeRequest(client, "openid fhirUser profile", verifier)
	a, err := t.Authorize(ctx, req, kit.Visit{Person: "admin"})
	if err != nil {
		return err
	}
	if a.Query.Get("error") != "" {
		return nil // refused: no fhirUser either
	}
	res, err := t.Call(ctx, t.Config.Token, client, kit.CodeForm(a.Code(), req.Get("redirect_uri"), verifier))
	if err != nil {
		return err
	}
	var c kit.Check
	if !c.That(res.Status == http.StatusOK, "%s: %s", a, res) {
		return c.Err()
	}
	c.That(!slices.Contains(strings.Fields(res.Text("scope")), "fhirUser"), "scope is %q", res.Text("scope"))
	claims, err := idToken(ctx, t, res.Text("id_token"))
	if c.Note(err) {
		c.That(claims["fhirUser"] == nil, "fhirUser is %v", claims["fhirUser"])
	}
	return c.Err()
}

func oidClaims(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	var subjects []string
	for _, nonce := range []string{"n1", "a nonce with spaces & signs"} {
		g, err := t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: plainScope, Visit: visit(t), Nonce: nonce})
		if !c.Note(err) {
			continue
		}
		claims, err := idToken(ctx, t, g.Text("id_token"))
		if !c.Note(err) {
			continue
		}
		c.That(claims["iss"] == t.Config.Issuer, "iss is %v", claims["iss"])
		aud, _ := claims["aud"].([]any)
		c.That(claims["aud"] == g.Client.ID || slices.Contains(aud, any(g.Client.ID)), "aud is %v", claims["aud"])
		c.That(claims["nonce"] == nonce, "nonce is %v", claims["nonce"])
		now := float64(t.Now().Unix())
		exp, _ := claims["exp"].(float64)
		iat, _ := claims["iat"].(float64)
		c.That(exp > now && iat <= now+5 && iat > now-60, "exp %v, iat %v, now %v", exp, iat, now)
		sub, _ := claims["sub"].(string)
		c.That(sub != "" && len(sub) <= 255, "sub has %d characters", len(sub))
		subjects = append(subjects, sub)
	}
	c.That(len(subjects) == 2 && subjects[0] == subjects[1], "sub is not stable")
	return c.Err()
}

func oidClinician(ctx context.Context, t *kit.Target) error {
	l := clinician(t)
	l.Scope = "launch openid fhirUser user/Practitioner.r patient/Patient.rs"
	g, err := t.EHRLaunch(ctx, fresh(nil), l)
	if err != nil {
		return err
	}
	claims, err := idToken(ctx, t, g.Text("id_token"))
	if err != nil {
		return err
	}
	user, _ := claims["fhirUser"].(string)
	res, err := t.FHIR(ctx, g.Access(), resolve(t, user))
	if err != nil {
		return err
	}
	if resolve(t, user) != "Practitioner/dr-hale" || res.Status != http.StatusOK {
		return fmt.Errorf("fhirUser is %q: %s", user, res)
	}
	return nil
}
