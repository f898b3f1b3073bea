package consent

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

func endings() []kit.Row {
	needs := kit.Login
	story := needs | kit.Proxies | kit.Admin
	return []kit.Row{
		{ID: "SMART US-03", Title: "ending an app on the page of connected apps ends token and refresh at once", Also: []string{"REV-03"}, Needs: needs | kit.Symmetric, Run: endApp},
		{ID: "SMART SCP-21", Title: "online access ends with the session", Also: []string{"CAP-15", "VER-09"}, Needs: needs | kit.Launcher | kit.Proxies, Run: onlineAccess},
		{ID: "SMART REF-10", Title: "a withdrawn consent ends refresh and FHIR calls", Also: []string{"PRX-04"}, Needs: story, Run: withdrawn},
		{ID: "MANDATE WM-07", Title: "a blocked person gets the answer of a stranger", Needs: story, Run: blocked},
		{ID: "MANDATE SC-10", Title: "without any permission the answer is access_denied", Needs: story, Run: nothing},
		{ID: "MANDATE SC-14b", Title: "no token outlives the consent, and at its end all stops", Needs: story | kit.Clock, Run: consentEnds},
		{ID: "SMART US-01", Title: "a refresh token works after 89 days, and again after 89 more", Also: []string{"US-02"}, Needs: needs | kit.Symmetric | kit.Clock, Run: threeMonths},
		{ID: "SMART REF-07b", Title: "a refresh token that nobody used for two years is dead", Needs: needs | kit.Clock, Run: unused},
	}
}

// dead checks that neither token of a grant works any more.
func dead(ctx context.Context, t *kit.Target, c *kit.Check, what string, g *kit.Grant, path string) {
	res, err := t.FHIR(ctx, g.Access(), path)
	if c.Note(err) {
		c.That(res.Status == http.StatusUnauthorized || res.Status == http.StatusForbidden, "%s: the access token lives on: %s with %d entries", what, res, len(res.Entries()))
	}
	if g.RefreshToken() == "" {
		return
	}
	res, err = t.Refresh(ctx, g.Client, g.RefreshToken(), "")
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_grant", "%s: the refresh token lives on: %s", what, res)
	}
}

func endApp(ctx context.Context, t *kit.Target) error {
	client, person := t.Client("symmetric"), t.QuietPatient()
	g, err := t.Launch(ctx, kit.Launch{Client: client, Scope: chartScope, Visit: kit.Visit{Person: person}})
	if err != nil {
		return err
	}
	waiting, err := t.Code(ctx, kit.Launch{Client: client, Scope: chartScope, Visit: kit.Visit{Person: person}})
	if err != nil {
		return err
	}
	var c kit.Check
	if err := endAll(ctx, t, person); err != nil {
		return err
	}
	dead(ctx, t, &c, "ended", g, "Patient/"+g.Patient())
	res, err := t.Introspect(ctx, client, g.Access())
	if c.Note(err) {
		c.That(res.JSON()["active"] == false && len(res.JSON()) == 1, "introspection says active %v", res.JSON()["active"])
	}
	res, err = t.Call(ctx, t.Config.Token, client, kit.CodeForm(waiting.Code, waiting.Redirect, waiting.Verifier))
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest, "a pending code lives on: %s", res)
	}
	t.Forget()
	return c.Err()
}

// endAll ends every connection on the page of connected apps.
func endAll(ctx context.Context, t *kit.Target, person string) error {
	b := t.Browser(person)
	p, err := b.SignIn(ctx, t.Config.Management)
	if err != nil {
		return err
	}
	for range 200 {
		to := link(p, "/end")
		if to == "" {
			return nil
		}
		if p, err = b.Open(ctx, to, ""); err != nil {
			return err
		}
		var ask *kit.Form
		for _, f := range p.Forms {
			if f.Button("end") != nil {
				ask = f
			}
		}
		if ask == nil {
			return fmt.Errorf("the page does not ask whether to end: %s", p.Response)
		}
		if p, err = b.Submit(ctx, ask, ask.Button("end"), ""); err != nil {
			return err
		}
	}
	return fmt.Errorf("more than 200 connections to end")
}

func onlineAccess(ctx context.Context, t *kit.Target) error {
	b := t.NewBrowser(t.Person("hale"))
	g, err := t.EHRLaunch(ctx, map[string]any{"patient": "rosa", "user": "Practitioner/dr-hale"}, kit.Launch{
		Client: t.Client("public"), Scope: "launch openid fhirUser online_access patient/Patient.rs", Visit: kit.Visit{Browser: b},
	})
	if err != nil {
		return err
	}
	var c kit.Check
	if !c.That(g.RefreshToken() != "", "online_access gave no refresh token; scope %q", g.Text("scope")) {
		return c.Err()
	}
	res, err := t.Refresh(ctx, g.Client, g.RefreshToken(), "")
	if !c.Note(err) || !c.That(res.Status == http.StatusOK, "while signed in: %s", res) {
		return c.Err()
	}
	if !c.Note(b.SignOut(ctx, t.Console, t.Config.Management)) {
		return c.Err()
	}
	token := res.Text("refresh_token")
	res, err = t.Refresh(ctx, g.Client, token, "")
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_grant", "after log-out: %s", res)
	}
	return c.Err()
}

func withdrawn(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for patient, acting := range map[string]string{"rosa": "RelatedPerson/rosa-elena", "joaquin": "RelatedPerson/joaquin-elena"} {
		g, err := elenaFor(ctx, t, patient)
		if !c.Note(err) {
			continue
		}
		all, err := consents(ctx, t, patient, acting)
		if !c.Note(err) {
			continue
		}
		for _, f := range all {
			if f.Status != "active" {
				continue
			}
			res, err := admin(ctx, t, http.MethodPost, "/consents/"+f.ID+"/withdraw", nil)
			if c.Note(err) {
				c.That(res.Status == http.StatusOK, "withdrawing: %s", res)
			}
			defer func() { c.Note(again(ctx, t, f)) }()
		}
		dead(ctx, t, &c, "for "+patient, g, "MedicationRequest?patient="+patient)
	}
	return c.Err()
}

// refusal walks a request of a proxy and tells what the app and the person saw.
func refusal(ctx context.Context, t *kit.Target, person string) (string, error) {
	b := t.NewBrowser(t.Person(person))
	a, err := t.Authorize(ctx, t.AuthorizeRequest(t.Client("public"), wideScope, t.NewVerifier()), kit.Visit{Browser: b})
	if err != nil {
		return "", err
	}
	if a.Code() != "" {
		return "", fmt.Errorf("%s got a code", person)
	}
	text := strings.Join(a.Steps, " ") + " → " + a.String()
	if a.PatientPage != nil {
		text += " " + a.PatientPage.Text()
	}
	if a.Query == nil {
		text += " " + a.Last.Text()
	}
	return strings.NewReplacer("Victor Brandt", "NAME", "Tomas Alvarez", "NAME", "victor", "name", "tomas", "name").Replace(text), nil
}

func blocked(ctx context.Context, t *kit.Target) error {
	all, err := consents(ctx, t, "rosa", "RelatedPerson/rosa-tomas")
	if err != nil {
		return err
	}
	var c kit.Check
	for _, f := range all {
		if f.Status == "active" {
			_, err := admin(ctx, t, http.MethodPost, "/consents/"+f.ID+"/withdraw", nil)
			c.Note(err)
			defer func() { c.Note(again(ctx, t, f)) }()
		}
	}
	stranger, err := refusal(ctx, t, "tomas")
	c.Note(err)
	victor, err := refusal(ctx, t, "victor")
	c.Note(err)
	c.That(victor == stranger, "blocked:  %s\nstranger: %s", victor, stranger)
	return c.Err()
}

func nothing(ctx context.Context, t *kit.Target) error {
	text, err := refusal(ctx, t, "victor")
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(strings.Contains(text, "access_denied"), "%s", text)
	low := strings.ToLower(text)
	for _, word := range []string{"block", "rosa", "not allowed by"} {
		c.That(!strings.Contains(low, word), "the answer says %q: %s", word, text)
	}
	return c.Err()
}

func threeMonths(ctx context.Context, t *kit.Target) error {
	g, err := t.Launch(ctx, kit.Launch{Client: t.Client("symmetric"), Scope: chartScope, Visit: kit.Visit{Person: t.Patient(), Consent: func(f *kit.Form) { f.Tick("keep", true) }}})
	if err != nil {
		return err
	}
	var c kit.Check
	token := g.RefreshToken()
	for i := range 2 {
		if err := t.Advance(ctx, 89*24*time.Hour); err != nil {
			return err
		}
		res, err := t.Refresh(ctx, g.Client, token, "")
		if !c.Note(err) || !c.That(res.Status == http.StatusOK, "after %d × 89 days: %s", i+1, res) {
			break
		}
		if next := res.Text("refresh_token"); next != "" {
			token = next
		}
		fhir, err := t.FHIR(ctx, res.Text("access_token"), "Patient/"+g.Patient())
		if c.Note(err) {
			c.That(fhir.Status == http.StatusOK, "%s", fhir)
		}
	}
	return c.Err()
}

// consentEnds files a copy of the download consent that ends soon, withdraws
// the long one, and walks past its end.
func consentEnds(ctx context.Context, t *kit.Target) error {
	long, err := active(ctx, t, "joaquin", "RelatedPerson/joaquin-elena")
	if err != nil {
		return err
	}
	end, err := long.end()
	if err != nil || end.IsZero() {
		return fmt.Errorf("the consent has no end: %w", err)
	}
	if now := t.Now(); now.Before(end.Add(-4 * time.Minute)) {
		if err := t.SetClock(ctx, end.Add(-4*time.Minute)); err != nil {
			return err
		}
	} else if now.After(end.Add(-2 * time.Minute)) {
		return fmt.Errorf("the consent has ended already")
	}
	t.Forget()
	g, err := elenaFor(ctx, t, "joaquin")
	if err != nil {
		return err
	}
	var c kit.Check
	left := end.Sub(t.Now()).Seconds()
	life, _ := g.JSON()["expires_in"].(float64)
	c.That(life > 0 && life <= left+2, "expires_in is %.0f, the consent ends in %.0f seconds", life, left)
	if err := t.SetClock(ctx, end.Add(time.Second)); err != nil {
		return err
	}
	dead(ctx, t, &c, "after the end", g, "MedicationRequest?patient=joaquin")
	_, err = elenaFor(ctx, t, "joaquin")
	c.That(err != nil, "a new launch still works")
	return c.Err()
}

// unused walks past every life that a refresh token may have.
func unused(ctx context.Context, t *kit.Target) error {
	g, err := launchWith(ctx, t, chartScope, func(f *kit.Form) { f.Tick("keep", true) })
	if err != nil {
		return err
	}
	if g.RefreshToken() == "" {
		return fmt.Errorf("no refresh token for offline_access")
	}
	if err := t.Advance(ctx, 2*365*24*time.Hour); err != nil {
		return err
	}
	res, err := t.Refresh(ctx, g.Client, g.RefreshToken(), "")
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_grant" && res.Text("access_token") == "", "%s", res)
	return c.Err()
}
