package smart

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

func refresh() []kit.Row {
	return []kit.Row{
		{ID: "SMART REF-01", Title: "a confidential client must authenticate to refresh", Needs: kit.Login | kit.Symmetric, Run: refAuth},
		{ID: "SMART REF-01b", Title: "a public client need not name itself at refresh, as the public npm client does not", Needs: kit.Login, Run: refNameless},
		{ID: "SMART REF-02", Title: "a refresh token is bound to its client", Needs: kit.Login | kit.Symmetric, Run: refBound},
		{ID: "SMART REF-03", Title: "no scope means the original grant, also after a narrowed refresh", Needs: kit.Login, Run: refOriginal},
		{ID: "SMART REF-04", Title: "a subset is granted, more is invalid_scope", Needs: kit.Login, Run: refSubset},
		{ID: "SMART REF-05", Title: "the answer has all members and headers", Also: []string{"DISC-10", "REF-01"}, Needs: kit.Login, Run: refMembers},
		{ID: "SMART REF-07", Title: "invalid refresh tokens are refused", Needs: kit.Login, Run: refInvalid},
		{ID: "SMART REF-08", Title: "a refresh token used again later ends the family", Needs: kit.Login | kit.Clock, Run: refReuse},
		{ID: "SMART REF-09", Title: "parallel refreshes get the same successor", Needs: kit.Login, Run: refParallel},
		{ID: "SMART REF-11", Title: "a public client gets a new refresh token each time", Needs: kit.Login, Run: refRotates},
		{ID: "SMART REF-12", Title: "an id_token of a refresh has the same subject", Needs: kit.Login, Run: refIDToken},
	}
}

// offline gives a grant with a refresh token of the row's own.
func offline(ctx context.Context, t *kit.Target, kind string) (*kit.Grant, error) {
	g, err := t.Launch(ctx, kit.Launch{Client: t.Client(kind), Scope: plainScope, Visit: visit(t)})
	if err != nil {
		return nil, err
	}
	if g.RefreshToken() == "" {
		return nil, fmt.Errorf("no refresh token for offline_access")
	}
	return g, nil
}

func refAuth(ctx context.Context, t *kit.Target) error {
	g, err := offline(ctx, t, "symmetric")
	if err != nil {
		return err
	}
	res, err := t.Do(ctx, kit.Request{URL: t.Config.Token, Form: form("grant_type", "refresh_token", "refresh_token", g.RefreshToken(), "client_id", g.Client.ID)})
	if err != nil {
		return err
	}
	if res.Status != http.StatusUnauthorized || res.Text("error") != "invalid_client" {
		return fmt.Errorf("without a credential: %s", res)
	}
	return nil
}

// refNameless: RFC 6749 §3.2.1 asks an unauthenticated client for client_id
// with a code only, and SMART lists no client_id for a refresh.
func refNameless(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	g, err := offline(ctx, t, "public")
	if err != nil {
		return err
	}
	res, err := t.Do(ctx, kit.Request{URL: t.Config.Token, Form: form("grant_type", "refresh_token", "refresh_token", g.RefreshToken())})
	if c.Note(err) {
		c.That(res.Status == http.StatusOK && res.Text("refresh_token") != g.RefreshToken(), "%s", res)
	}
	if t.Has()&kit.Symmetric == 0 {
		return c.Err()
	}
	if g, err = offline(ctx, t, "symmetric"); !c.Note(err) {
		return c.Err()
	}
	res, err = t.Do(ctx, kit.Request{URL: t.Config.Token, Form: form("grant_type", "refresh_token", "refresh_token", g.RefreshToken())})
	if c.Note(err) {
		c.That(res.Status == http.StatusUnauthorized || res.Status == http.StatusBadRequest, "a client with a secret: %s", res)
	}
	return c.Err()
}

func refBound(ctx context.Context, t *kit.Target) error {
	g, err := offline(ctx, t, "public")
	if err != nil {
		return err
	}
	var c kit.Check
	res, err := t.Refresh(ctx, t.Client("symmetric"), g.RefreshToken(), "")
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_grant", "another client: %s", res)
	}
	res, err = t.Refresh(ctx, g.Client, g.RefreshToken(), "")
	if c.Note(err) {
		c.That(res.Status == http.StatusOK, "the own client afterwards: %s", res)
	}
	return c.Err()
}

// newest gives the refresh token after a refresh.
func newest(old string, res *kit.Response) string {
	if next := res.Text("refresh_token"); next != "" {
		return next
	}
	return old
}

func refOriginal(ctx context.Context, t *kit.Target) error {
	g, err := offline(ctx, t, "public")
	if err != nil {
		return err
	}
	var c kit.Check
	narrowed, err := t.Refresh(ctx, g.Client, g.RefreshToken(), "patient/Patient.rs")
	if !c.Note(err) || !c.That(narrowed.Status == http.StatusOK, "narrowed: %s", narrowed) {
		return c.Err()
	}
	c.That(!strings.Contains(narrowed.Text("scope"), "Observation"), "narrowed to %q", narrowed.Text("scope"))
	res, err := t.FHIR(ctx, narrowed.Text("access_token"), "Observation?patient="+g.Patient())
	if c.Note(err) {
		c.That(res.Status == http.StatusForbidden, "the narrowed token: %s", res)
	}
	full, err := t.Refresh(ctx, g.Client, newest(g.RefreshToken(), narrowed), "")
	if c.Note(err) {
		c.That(sameSet(strings.Fields(full.Text("scope")), g.Scopes()), "after it: %q, originally %q", full.Text("scope"), g.Text("scope"))
	}
	return c.Err()
}

func refSubset(ctx context.Context, t *kit.Target) error {
	g, err := offline(ctx, t, "public")
	if err != nil {
		return err
	}
	var c kit.Check
	token := g.RefreshToken()
	for _, scope := range []string{"patient/Patient.r", observations("laboratory"), "openid fhirUser launch/patient offline_access patient/Patient.rs", "patient/Condition.s"} {
		res, err := t.Refresh(ctx, g.Client, token, scope)
		if c.Note(err) && c.That(res.Status == http.StatusOK, "%q: %s", scope, res) {
			token = newest(token, res)
		}
	}
	for _, scope := range []string{"patient/*.rs", "patient/Patient.rs patient/Immunization.rs", "patient/Patient.cruds", "user/Patient.rs", "system/*.rs"} {
		res, err := t.Refresh(ctx, g.Client, token, scope)
		if c.Note(err) {
			c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_scope", "%q: %s", scope, res)
		}
	}
	return c.Err()
}

func refMembers(ctx context.Context, t *kit.Target) error {
	g, err := offline(ctx, t, "public")
	if err != nil {
		return err
	}
	res, err := t.Refresh(ctx, g.Client, g.RefreshToken(), "")
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Status == http.StatusOK, "%s", res)
	c.That(res.Text("access_token") != "" && res.Text("access_token") != g.Access(), "access_token is missing or the old one")
	c.That(strings.EqualFold(res.Text("token_type"), "Bearer"), "token_type is %v", res.JSON()["token_type"])
	_, number := res.JSON()["expires_in"].(float64)
	c.That(number, "expires_in is %v", res.JSON()["expires_in"])
	c.That(res.Text("scope") != "", "no scope")
	c.That(strings.Contains(res.Header.Get("Cache-Control"), "no-store") && strings.Contains(res.Header.Get("Pragma"), "no-cache"), "it may be stored")
	fhir, err := t.FHIR(ctx, res.Text("access_token"), "Patient/"+g.Patient())
	if c.Note(err) {
		c.That(fhir.Status == http.StatusOK, "the new token: %s", fhir)
	}
	return c.Err()
}

func refInvalid(ctx context.Context, t *kit.Target) error {
	g, err := standard(ctx, t, "public")
	if err != nil {
		return err
	}
	var c kit.Check
	for what, token := range map[string]string{"garbage": "garbage", "empty": "", "an access token": g.Access(), "a random one": t.Random()} {
		res, err := t.Refresh(ctx, g.Client, token, "")
		if c.Note(err) {
			c.That(res.Status == http.StatusBadRequest || res.Status == http.StatusUnauthorized, "%s: %s", what, res)
			c.That(res.Text("access_token") == "", "%s: a token was given", what)
		}
	}
	return c.Err()
}

func refReuse(ctx context.Context, t *kit.Target) error {
	g, err := offline(ctx, t, "public")
	if err != nil {
		return err
	}
	first, err := t.Refresh(ctx, g.Client, g.RefreshToken(), "")
	if err != nil {
		return err
	}
	if err := t.Advance(ctx, 5*time.Minute); err != nil {
		return err
	}
	var c kit.Check
	res, err := t.Refresh(ctx, g.Client, g.RefreshToken(), "")
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_grant", "the old token: %s", res)
	}
	res, err = t.Refresh(ctx, g.Client, first.Text("refresh_token"), "")
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest, "the newest token lives on: %s", res)
	}
	return c.Err()
}

func refParallel(ctx context.Context, t *kit.Target) error {
	g, err := offline(ctx, t, "public")
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	answers := make([]*kit.Response, 8)
	faults := make([]error, len(answers))
	for i := range answers {
		wg.Go(func() { answers[i], faults[i] = t.Refresh(ctx, g.Client, g.RefreshToken(), "") })
	}
	wg.Wait()
	var c kit.Check
	for i, res := range answers {
		if c.Note(faults[i]) && c.That(res.Status == http.StatusOK, "%s", res) {
			c.That(res.Text("refresh_token") == answers[0].Text("refresh_token"), "two successors")
		}
	}
	if c.Err() != nil {
		return c.Err()
	}
	res, err := t.Refresh(ctx, g.Client, answers[0].Text("refresh_token"), "")
	if c.Note(err) {
		c.That(res.Status == http.StatusOK, "the successor: %s", res)
	}
	return c.Err()
}

func refRotates(ctx context.Context, t *kit.Target) error {
	g, err := offline(ctx, t, "public")
	if err != nil {
		return err
	}
	var c kit.Check
	seen := map[string]bool{g.RefreshToken(): true}
	token := g.RefreshToken()
	for range 3 {
		res, err := t.Refresh(ctx, g.Client, token, "")
		if !c.Note(err) || !c.That(res.Status == http.StatusOK, "%s", res) {
			break
		}
		token = res.Text("refresh_token")
		c.That(token != "" && !seen[token], "no new refresh token")
		seen[token] = true
	}
	return c.Err()
}

func refIDToken(ctx context.Context, t *kit.Target) error {
	g, err := offline(ctx, t, "public")
	if err != nil {
		return err
	}
	res, err := t.Refresh(ctx, g.Client, g.RefreshToken(), "")
	if err != nil || res.Text("id_token") == "" {
		return err // optional
	}
	old, err := idToken(ctx, t, g.Text("id_token"))
	if err != nil {
		return err
	}
	claims, err := idToken(ctx, t, res.Text("id_token"))
	if err != nil {
		return err
	}
	for _, name := range []string{"iss", "sub", "aud"} {
		if fmt.Sprint(claims[name]) != fmt.Sprint(old[name]) {
			return fmt.Errorf("%s changed", name)
		}
	}
	return nil
}
