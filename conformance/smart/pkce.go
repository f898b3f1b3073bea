package smart

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func pkce() []kit.Row {
	return []kit.Row{
		{ID: "SMART PKCE-01", Title: "plain and a missing method are refused", Needs: kit.Login, Run: pkcePlain},
		{ID: "SMART PKCE-02", Title: "a confidential client needs a verifier too", Also: []string{"VER-01"}, Needs: kit.Login | kit.Symmetric, Run: pkceConfidential},
		{ID: "SMART PKCE-03", Title: "a missing, blank, wrong or echoed verifier is refused", Needs: kit.Login, Run: pkceNegatives},
		{ID: "SMART PKCE-04", Title: "a missing challenge gives no code", Also: []string{"VER-01"}, Needs: kit.Login, Run: pkceMissing},
		{ID: "SMART PKCE-05", Title: "a verifier of the wrong length or alphabet is refused", Needs: kit.Login, Run: pkceShape},
	}
}

func pkcePlain(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, method := range []string{"plain", "", "s256", "S512"} {
		req, verifier := request(t)
		req.Set("code_challenge_method", method)
		if method == "plain" {
			req.Set("code_challenge", verifier)
		}
		refused(ctx, t, &c, "method "+method, req, false, "invalid_request")
	}
	return c.Err()
}

func pkceMissing(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	req, _ := request(t)
	req.Del("code_challenge")
	refused(ctx, t, &c, "no challenge", req, false, "invalid_request")
	req.Del("code_challenge_method")
	refused(ctx, t, &c, "neither challenge nor method", req, false, "invalid_request")
	return c.Err()
}

// badVerifier redeems a fresh code with a verifier of the row's choice; without
// one where bend gives false.
func badVerifier(ctx context.Context, t *kit.Target, c *kit.Check, kind, what string, bend func(good string) (string, bool)) {
	client := t.Client(kind)
	g, err := t.Code(ctx, kit.Launch{Client: client, Scope: plainScope, Visit: visit(t)})
	if !c.Note(err) {
		return
	}
	form := kit.CodeForm(g.Code, g.Redirect, g.Verifier)
	if v, send := bend(g.Verifier); send {
		form.Set("code_verifier", v)
	} else {
		form.Del("code_verifier")
	}
	res, err := t.Call(ctx, t.Config.Token, client, form)
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest || res.Status == http.StatusUnauthorized, "%s: %s", what, res)
		c.That(res.Text("access_token") == "", "%s: a token was given", what)
	}
}

func pkceConfidential(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	badVerifier(ctx, t, &c, "symmetric", "no verifier", func(string) (string, bool) { return "", false })
	return c.Err()
}

func pkceNegatives(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for what, bend := range map[string]func(string) (string, bool){
		"missing":   func(string) (string, bool) { return "", false },
		"blank":     func(string) (string, bool) { return "", true },
		"wrong":     func(string) (string, bool) { return t.NewVerifier(), true },
		"challenge": func(good string) (string, bool) { return kit.Challenge(good), true },
	} {
		badVerifier(ctx, t, &c, "public", what, bend)
	}
	return c.Err()
}

func pkceShape(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client := t.Client("public")
	for _, verifier := range []string{strings.Repeat("a", 42), strings.Repeat("a", 129), strings.Repeat("a", 43) + "=", strings.Repeat("a", 43) + " "} {
		req := t.AuthorizeRequest(client, plainScope, verifier)
		a, err := t.Authorize(ctx, req, visit(t))
		if !c.Note(err) || !c.That(a.Code() != "", "%s", a) {
			continue
		}
		res, err := t.Call(ctx, t.Config.Token, client, kit.CodeForm(a.Code(), req.Get("redirect_uri"), verifier))
		if c.Note(err) {
			c.That(res.Status == http.StatusBadRequest, "%d characters: %s", len(verifier), res)
		}
	}
	return c.Err()
}

// form makes url.Values of pairs.
func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}
