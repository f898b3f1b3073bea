package udap

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func registration() []kit.Row {
	return []kit.Row{
		{ID: "SMART UDP-15", Title: "a software statement registers a service and an app", Also: []string{"UDP-19"}, Needs: kit.UDAP, Run: regHappy},
		{ID: "SMART UDP-15b", Title: "what is no JSON, or has no udap, is refused", Needs: kit.UDAP, Run: regBody},
		{ID: "SMART UDP-16", Title: "issuer, audience, life and jti of the statement are checked", Needs: kit.UDAP, Run: regClaims},
		{ID: "SMART UDP-17", Title: "each missing or wrong metadata member is refused", Needs: kit.UDAP, Run: regMetadata},
		{ID: "SMART UDP-18", Title: "a registration is for people or for a service", Needs: kit.UDAP, Run: regGrants},
		{ID: "SMART UDP-20", Title: "the granted scopes are told, and nothing acceptable is an error", Needs: kit.UDAP, Run: regScopes},
		{ID: "SMART UDP-21", Title: "registering again changes the registration and keeps the client_id", Needs: kit.UDAP, Run: regAgain},
		{ID: "SMART UDP-22", Title: "empty grant types cancel the registration", Needs: kit.UDAP, Run: regCancel},
		{ID: "SMART UDP-23", Title: "unknown certifications are ignored, required ones are missed", Needs: kit.UDAP, Run: regCertifications},
	}
}

func regHappy(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	d, err := read(ctx, t)
	if err != nil {
		return err
	}
	for _, people := range []bool{false, true} {
		m, err := issue(t, nil, nil)
		if !c.Note(err) {
			continue
		}
		a := statement(t, m, d.Register, people)
		signed, err := m.Sign(a)
		if !c.Note(err) {
			continue
		}
		res, err := post(ctx, t, d.Register, signed, nil)
		if !c.Note(err) {
			continue
		}
		c.That(res.Status == http.StatusCreated && res.Media() == "application/json", "%s of type %q", res, res.Media())
		c.That(strings.Contains(res.Header.Get("Cache-Control"), "no-store"), "Cache-Control is %q", res.Header.Get("Cache-Control"))
		repeated := res.Text("software_statement") == signed
		c.That(res.Text("client_id") != "" && repeated, "client_id %q, statement repeated: %v", res.Text("client_id"), repeated)
		for _, member := range []string{"client_name", "contacts", "grant_types", "token_endpoint_auth_method"} {
			c.That(res.JSON()[member] != nil, "%s is missing", member)
		}
		_, redirects := res.JSON()["redirect_uris"]
		c.That(redirects == people, "redirect_uris there: %v", redirects)
		for member, value := range res.JSON() {
			c.That(value != nil && value != "", "%s is told and empty", member)
		}
	}
	return c.Err()
}

func regBody(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	d, err := read(ctx, t)
	if err != nil {
		return err
	}
	m, err := issue(t, nil, nil)
	if err != nil {
		return err
	}
	signed, err := m.Sign(statement(t, m, d.Register, false))
	if err != nil {
		return err
	}
	for what, extra := range map[string]map[string]any{
		"no udap": {"udap": nil}, "udap 2": {"udap": "2"}, "no statement": {"software_statement": nil}, "a statement that is none": {"software_statement": "x.y.z"},
	} {
		res, err := post(ctx, t, d.Register, signed, extra)
		if c.Note(err) {
			c.That(res.Status == http.StatusBadRequest && res.Text("error") != "" && res.Text("client_id") == "", "%s: %s", what, res)
		}
	}
	for what, r := range map[string]kit.Request{
		"no JSON":   {Type: "application/json", Body: strings.NewReader("software_statement=" + signed)},
		"twice":     {Type: "application/json", Body: strings.NewReader(`{"udap":"1","udap":"1","software_statement":"` + signed + `"}`)},
		"a list":    {Type: "application/json", Body: strings.NewReader("[1]")},
		"very deep": {Type: "application/json", Body: strings.NewReader(strings.Repeat("[", 20000))},
		"a form":    {Type: "application/x-www-form-urlencoded", Body: strings.NewReader("udap=1&software_statement=" + signed)},
		"too large": {Type: "application/json", Body: strings.NewReader(`{"udap":"1","x":"` + strings.Repeat("x", 1<<20) + `"}`)},
	} {
		r.Method, r.URL = http.MethodPost, d.Register
		res, err := t.Do(ctx, r)
		if c.Note(err) {
			c.That(res.Status >= 400 && res.Status < 500 && res.Text("client_id") == "", "%s: %s", what, res)
		}
	}
	return c.Err()
}

// eachRefused bends good statements of a new member and expects refusals.
func eachRefused(ctx context.Context, t *kit.Target, people bool, codes []string, bends map[string]func(map[string]any)) error {
	var c kit.Check
	m, err := issue(t, nil, nil)
	if err != nil {
		return err
	}
	for what, bend := range bends {
		res, err := submit(ctx, t, m, people, func(a *kit.Assertion) { bend(a.Claims) })
		if c.Note(err) {
			refusedWith(&c, what, res, codes...)
		}
	}
	return c.Err()
}

// set and without bend one claim.
func set(name string, value any) func(map[string]any) {
	return func(c map[string]any) { c[name] = value }
}

func without(name string) func(map[string]any) {
	return func(c map[string]any) { delete(c, name) }
}

func regClaims(ctx context.Context, t *kit.Target) error {
	now := t.Now().Unix()
	return eachRefused(ctx, t, false, []string{"invalid_software_statement", "unapproved_software_statement"}, map[string]func(map[string]any){
		"no iss": without("iss"), "no sub": without("sub"), "no aud": without("aud"), "no exp": without("exp"), "no iat": without("iat"), "no jti": without("jti"),
		"another sub": set("sub", "https://somebody-else.example/"),
		"another aud": set("aud", "https://somebody-else.example/register"), "the token endpoint": set("aud", t.Config.Token),
		"expired": func(c map[string]any) { c["iat"], c["exp"] = now-900, now-600 }, "ten minutes": set("exp", now+600), "a year": set("exp", now+31536000),
		"exp before iat": func(c map[string]any) { c["iat"], c["exp"] = now+50, now+20 }, "iat ahead": func(c map[string]any) { c["iat"], c["exp"] = now+600, now+700 },
		"exp that is a text": set("exp", "soon"), "a long jti": set("jti", strings.Repeat("j", 5000)),
	})
}

func regMetadata(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	codes := []string{"invalid_client_metadata", "invalid_redirect_uri"}
	bends := map[string]func(map[string]any){
		"no client_name": without("client_name"), "no contacts": without("contacts"), "empty contacts": set("contacts", []string{}),
		"contacts without mailto": set("contacts", []string{"https://clinic.example"}), "no grant_types": without("grant_types"),
		"no token_endpoint_auth_method": without("token_endpoint_auth_method"), "client_secret_basic": set("token_endpoint_auth_method", "client_secret_basic"),
		"no scope": without("scope"), "an unknown grant type": set("grant_types", []string{"password"}),
	}
	c.Note(eachRefused(ctx, t, false, codes, bends))
	bends["no redirect_uris"], bends["empty redirect_uris"] = without("redirect_uris"), set("redirect_uris", []string{})
	bends["http redirect"] = set("redirect_uris", []string{"http://clinic.example/callback"})
	bends["redirect with a fragment"] = set("redirect_uris", []string{"https://clinic.example/callback#x"})
	bends["a script as redirect"] = set("redirect_uris", []string{"javascript:alert(1)"})
	bends["no response_types"], bends["implicit"] = without("response_types"), set("response_types", []string{"token"})
	bends["no logo_uri"], bends["a logo over http"] = without("logo_uri"), set("logo_uri", "http://clinic.example/logo.png")
	bends["a logo that is a script"] = set("logo_uri", "https://clinic.example/logo.svg")
	c.Note(eachRefused(ctx, t, true, codes, bends))
	c.Note(eachRefused(ctx, t, false, codes, map[string]func(map[string]any){
		"redirect_uris of a service": set("redirect_uris", []string{"https://clinic.example/callback"}), "response_types of a service": set("response_types", []string{"code"}),
	}))
	return c.Err()
}

func regGrants(ctx context.Context, t *kit.Target) error {
	return eachRefused(ctx, t, true, []string{"invalid_client_metadata"}, map[string]func(map[string]any){
		"both":          set("grant_types", []string{"authorization_code", "client_credentials"}),
		"refresh alone": set("grant_types", []string{"refresh_token"}),
		"a service with refresh_token": func(c map[string]any) {
			c["grant_types"] = []string{"client_credentials", "refresh_token"}
			delete(c, "redirect_uris")
			delete(c, "response_types")
		},
	})
}

func regScopes(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	m, err := issue(t, nil, nil)
	if err != nil {
		return err
	}
	res, err := submit(ctx, t, m, false, func(a *kit.Assertion) { a.Claims["scope"] = serviceScope + " patient/*.rs nonsense system/Nonsense.rs" })
	if c.Note(err) {
		c.That(res.Status == http.StatusCreated && res.Text("scope") == serviceScope, "%s with scope %q", res, res.Text("scope"))
	}
	for _, nothing := range []string{"nonsense", "patient/Patient.rs", "openid"} {
		res, err := submit(ctx, t, m, false, func(a *kit.Assertion) { a.Claims["scope"] = nothing })
		if c.Note(err) {
			refusedWith(&c, nothing, res, "invalid_client_metadata")
		}
	}
	client, err := register(ctx, t, false, nil)
	if err != nil {
		return err
	}
	if res, err = t.ClientCredentials(ctx, client, "system/Condition.rs"); c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_scope", "a scope that was not registered: %s", res)
	}
	return c.Err()
}

func regAgain(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client, err := register(ctx, t, false, nil)
	if err != nil {
		return err
	}
	res, err := submit(ctx, t, *client.Member, false, func(a *kit.Assertion) {
		a.Claims["client_name"], a.Claims["scope"] = "Another name", "system/Condition.rs"
	})
	if err != nil {
		return err
	}
	if res.Status == http.StatusCreated && res.Text("client_id") != client.ID {
		old, err := t.ClientCredentials(ctx, client, serviceScope)
		if c.Note(err) {
			c.That(old.Status == http.StatusUnauthorized, "a new client_id, and the old one still gets: %s", old)
		}
		return c.Err()
	}
	c.That(res.Status == http.StatusOK && res.Text("client_id") == client.ID, "%s with client_id %q, was %q", res, res.Text("client_id"), client.ID)
	c.That(res.Text("client_name") == "Another name" && res.Text("scope") == "system/Condition.rs", "name %q, scope %q", res.Text("client_name"), res.Text("scope"))
	changed, err := t.ClientCredentials(ctx, client, "system/Condition.rs")
	if c.Note(err) {
		c.That(changed.Status == http.StatusOK, "the new scope: %s", changed)
	}
	return c.Err()
}

func regCancel(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client, err := register(ctx, t, false, nil)
	if err != nil {
		return err
	}
	before, err := t.ClientCredentials(ctx, client, serviceScope)
	if err != nil {
		return err
	}
	cancel := func(a *kit.Assertion) { a.Claims["grant_types"] = []string{} }
	res, err := submit(ctx, t, *client.Member, false, cancel)
	if err != nil {
		return err
	}
	list, told := res.JSON()["grant_types"].([]any)
	c.That(res.Status == http.StatusOK && told && len(list) == 0, "%s with grant_types %v", res, res.JSON()["grant_types"])
	after, err := t.ClientCredentials(ctx, client, serviceScope)
	if c.Note(err) {
		c.That(after.Status == http.StatusUnauthorized && after.Text("error") == "invalid_client", "a token after it: %s", after)
	}
	read, err := t.FHIR(ctx, before.Text("access_token"), "Patient?_count=1")
	if c.Note(err) {
		c.That(read.Status == http.StatusUnauthorized, "a token from before it: %s", read)
	}
	stranger, err := issue(t, nil, nil)
	if err != nil {
		return err
	}
	if res, err = submit(ctx, t, stranger, false, cancel); c.Note(err) {
		c.That(res.Status >= 200 && res.Status < 500 && res.Status != http.StatusCreated, "nobody cancels: %s", res)
	}
	return c.Err()
}

func regCertifications(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	d, err := read(ctx, t)
	if err != nil {
		return err
	}
	m, err := issue(t, nil, nil)
	if err != nil {
		return err
	}
	unknown, err := m.Sign(kit.Assertion{Claims: map[string]any{
		"iss": m.URI, "sub": m.URI, "iat": t.Now().Unix(), "exp": t.Now().Unix() + 3600, "jti": t.Random(), "certification_uris": []string{"https://certifier.example/unknown"},
	}})
	if err != nil {
		return err
	}
	for what, shown := range map[string][]string{"an unknown one": {unknown}, "nonsense": {"x"}, "none": {}} {
		signed, err := m.Sign(statement(t, m, d.Register, false))
		if !c.Note(err) {
			continue
		}
		res, err := post(ctx, t, d.Register, signed, map[string]any{"certifications": shown})
		if !c.Note(err) {
			continue
		}
		if len(d.CertificationsRequired) > 0 {
			refusedWith(&c, what, res, "unapproved_software_statement", "invalid_software_statement")
		} else {
			c.That(slices.Contains([]int{http.StatusOK, http.StatusCreated}, res.Status), "%s: %s", what, res)
		}
	}
	return c.Err()
}
