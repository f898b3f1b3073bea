package smart

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func scopes() []kit.Row {
	return []kit.Row{
		{ID: "SMART SCP-02", Title: "malformed operation letters are never widened", Needs: kit.Login, Run: scpMalformed},
		{ID: "SMART SCP-03", Title: "a v1 write scope does not read", Needs: kit.Login, Run: scpWriteOnly},
		{ID: "SMART SCP-04", Title: "a v1 scope is answered under its own name", Needs: kit.Login, Run: scpV1},
		{ID: "SMART SCP-04b", Title: "granted scopes come back letter by letter", Needs: kit.Login, Run: scpLiteral},
		{ID: "SMART TOK-13", Title: "twenty scopes in one URL, and sixty granular ones, still give a usable token", Needs: kit.Login, Run: scpMany},
		{ID: "SMART SCP-05", Title: "v1 alone and v2 alone both work", Also: []string{"CAP-17"}, Needs: kit.Login, Run: scpVersions},
		{ID: "SMART SCP-06", Title: "category scopes combine as a union", Needs: kit.Login | kit.Upstream, Run: scpUnion},
		{ID: "SMART SCP-07", Title: "a whole-type scope beside a narrower one gives the whole type", Needs: kit.Login | kit.Upstream, Run: scpWhole},
		{ID: "SMART SCP-08", Title: "an encoded query means what the plain one means", Needs: kit.Login | kit.Upstream, Run: scpEncoded},
		{ID: "SMART SCP-09", Title: "an unsupported query is not granted without its filter", Needs: kit.Login, Run: scpFilter},
		{ID: "SMART SCP-12b", Title: "no scope is granted that was not asked", Needs: kit.Login, Run: scpNotMore},
		{ID: "SMART SCP-19", Title: "fhirUser without openid gives no id_token", Needs: kit.Login, Run: scpFHIRUser},
		{ID: "SMART SCP-20", Title: "offline_access works after log-out", Also: []string{"CAP-14"}, Needs: kit.Login, Run: scpOffline},
		{ID: "SMART SCP-22", Title: "no refresh token without offline_access or online_access", Needs: kit.Login, Run: scpNoRefresh},
		{ID: "SMART SCP-26", Title: "an unknown type does not break the other scopes", Needs: kit.Login, Run: scpUnknownType},
		{ID: "SMART SCP-27", Title: "system scopes are not granted to a person", Needs: kit.Login, Run: scpSystem},
		{ID: "SMART SCP-29", Title: "a scope string of 20 kB is refused quickly, control characters too", Needs: kit.Login, Run: scpLimits},
		{ID: "SMART SCP-30", Title: "the consent screen shows no raw scope as its text", Also: []string{"BP-02"}, Needs: kit.Login, Run: scpWords},
		{ID: "SMART SCP-32", Title: "types are case-sensitive and order does not matter", Needs: kit.Login, Run: scpCase},
	}
}

// granted launches with a scope and gives what was granted; nothing when the
// whole request was refused.
func granted(ctx context.Context, t *kit.Target, scope string) (*kit.Grant, []string, error) {
	verifier := t.NewVerifier()
	client := t.Client("public")
	req := t.AuthorizeRequest(client, scope, verifier)
	a, err := t.Authorize(ctx, req, visit(t))
	if err != nil {
		return nil, nil, err
	}
	if a.Code() == "" {
		if a.Query.Get("error") == "" {
			return nil, nil, fmt.Errorf("%s", a)
		}
		return nil, nil, nil
	}
	res, err := t.Call(ctx, t.Config.Token, client, kit.CodeForm(a.Code(), req.Get("redirect_uri"), verifier))
	if err != nil {
		return nil, nil, err
	}
	g := &kit.Grant{Response: res, Client: client, Answer: a, Redirect: req.Get("redirect_uri")}
	if res.Status != http.StatusOK || g.Access() == "" {
		return nil, nil, fmt.Errorf("the code was not redeemed: %s", res)
	}
	return g, g.Scopes(), nil
}

func scpMalformed(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, bad := range []string{".dus", ".sr", ".rx", ".", ".cruds.rs", ".reads", "rs", ".RS", ".r,s"} {
		_, got, err := granted(ctx, t, "launch/patient patient/Condition.rs patient/Observation"+bad)
		if c.Note(err) {
			c.That(!strings.Contains(strings.Join(got, " "), "Observation"), "%q was granted as %v", bad, got)
		}
	}
	return c.Err()
}

func scpWriteOnly(ctx context.Context, t *kit.Target) error {
	g, got, err := granted(ctx, t, "launch/patient patient/Patient.read patient/Observation.write")
	if err != nil {
		return err
	}
	var c kit.Check
	if g == nil || !strings.Contains(strings.Join(got, " "), "Observation") {
		return nil // the server need not grant it
	}
	res, err := t.FHIR(ctx, g.Access(), "Observation?patient="+g.Patient())
	if c.Note(err) {
		c.That(res.Status == http.StatusForbidden, "a write scope searches: %s", res)
	}
	return c.Err()
}

func scpV1(ctx context.Context, t *kit.Target) error {
	_, got, err := granted(ctx, t, "launch/patient patient/Patient.read patient/Observation.read")
	if err != nil {
		return err
	}
	if !slices.Contains(got, "patient/Patient.read") || !slices.Contains(got, "patient/Observation.read") {
		return fmt.Errorf("v1 scopes were answered as %v", got)
	}
	return nil
}

func scpLiteral(ctx context.Context, t *kit.Target) error {
	asked := []string{"launch/patient", "patient/Patient.r", "patient/Condition.rs", "patient/Encounter.read", observations("laboratory")}
	_, got, err := granted(ctx, t, strings.Join(asked, " "))
	if err != nil {
		return err
	}
	var c kit.Check
	for _, s := range asked {
		c.That(slices.Contains(got, s), "%q is not in %v", s, got)
	}
	return c.Err()
}

func scpMany(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	var many []string
	for _, typ := range usCoreTypes {
		many = append(many, "patient/"+typ+".rs")
	}
	var granular []string
	for i := range 60 {
		granular = append(granular, fmt.Sprintf("patient/Observation.rs?code=http://loinc.org|8867-%d", i))
	}
	for what, list := range map[string][]string{"types": many, "granular": append(granular, "patient/Patient.rs")} {
		g, got, err := granted(ctx, t, "openid fhirUser launch/patient offline_access "+strings.Join(list, " "))
		if !c.Note(err) || !c.That(g != nil, "%s: refused", what) {
			continue
		}
		c.That(len(got) >= 20, "%s: only %d scopes", what, len(got))
		res, err := t.FHIR(ctx, g.Access(), "Patient/"+g.Patient())
		if c.Note(err) {
			c.That(res.Status == http.StatusOK, "%s: %s with a token of %d bytes", what, res, len(g.Access()))
		}
		res, err = t.FHIR(ctx, g.Access(), "Observation?_count=5&patient="+g.Patient())
		if c.Note(err) {
			c.That(res.Status == http.StatusOK, "%s: %s", what, res)
		}
	}
	return c.Err()
}

func scpVersions(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, scope := range []string{"launch/patient patient/Patient.read patient/Observation.read", "launch/patient patient/Patient.rs patient/Observation.rs"} {
		g, got, err := granted(ctx, t, scope)
		if !c.Note(err) || !c.That(g != nil, "%q was refused", scope) {
			continue
		}
		c.That(len(got) >= 2, "%q gave %v", scope, got)
		res, err := t.FHIR(ctx, g.Access(), "Observation?_count=1&patient="+g.Patient())
		if c.Note(err) {
			c.That(res.Status == http.StatusOK, "%s", res)
		}
	}
	return c.Err()
}

func observations(category string) string {
	return "patient/Observation.rs?category=" + kit.ObservationCategory + "|" + category
}

// categories counts the resources of a search by category code.
func categories(entries []kit.Entry) map[string]int {
	out := map[string]int{}
	for _, e := range entries {
		for _, code := range e.Codes("category") {
			out[code]++
		}
	}
	return out
}

func scpUnion(ctx context.Context, t *kit.Target) error {
	g, got, err := granted(ctx, t, "launch/patient patient/Patient.rs "+observations("laboratory")+" "+observations("vital-signs"))
	if err != nil || g == nil {
		return orElse(err, "the request was refused")
	}
	found, err := t.All(ctx, g.Access(), "Observation?_count=200&patient="+g.Patient())
	if err != nil {
		return err
	}
	var c kit.Check
	n := categories(found)
	c.That(n["laboratory"] > 0 && n["vital-signs"] > 0, "granted %v, found %v", got, n)
	for _, e := range found {
		codes := e.Codes("category")
		c.That(slices.Contains(codes, "laboratory") || slices.Contains(codes, "vital-signs"), "Observation/%s of %v is outside both", e.ID, codes)
	}
	return c.Err()
}

// orElse gives the error, or the text as one.
func orElse(err error, text string) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%s", text)
}

func scpWhole(ctx context.Context, t *kit.Target) error {
	g, got, err := granted(ctx, t, "launch/patient patient/Patient.rs patient/Observation.rs "+observations("laboratory"))
	if err != nil || g == nil {
		return orElse(err, "the request was refused")
	}
	found, err := t.All(ctx, g.Access(), "Observation?_count=200&patient="+g.Patient())
	if err != nil {
		return err
	}
	if n := categories(found); n["vital-signs"] == 0 || n["laboratory"] == 0 {
		return fmt.Errorf("granted %v, found %v", got, n)
	}
	return nil
}

func scpEncoded(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	var counts []int
	for _, scope := range []string{
		observations("laboratory"),
		"patient/Observation.rs?category=" + kit.Escape(kit.ObservationCategory+"|laboratory"),
	} {
		g, got, err := granted(ctx, t, "launch/patient patient/Patient.rs "+scope)
		if !c.Note(err) || !c.That(g != nil, "%s was refused", scope) {
			continue
		}
		found, err := t.All(ctx, g.Access(), "Observation?_count=200&patient="+g.Patient())
		if c.Note(err) {
			counts = append(counts, len(found))
			c.That(categories(found)["vital-signs"] == 0, "%v shows vital signs", got)
		}
	}
	c.That(len(counts) == 2 && counts[0] == counts[1] && counts[0] > 0, "plain and encoded found %v", counts)
	twice := "patient/Observation.rs?category=" + kit.Escape(kit.Escape(kit.ObservationCategory+"|laboratory"))
	g, got, err := granted(ctx, t, "launch/patient patient/Patient.rs "+twice)
	if c.Note(err) && g != nil && strings.Contains(strings.Join(got, " "), "Observation") {
		found, err := t.All(ctx, g.Access(), "Observation?_count=200&patient="+g.Patient())
		c.That(err != nil || len(counts) == 0 || len(found) <= counts[0], "encoded twice it shows %d", len(found))
	}
	return c.Err()
}

func scpFilter(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, query := range []string{"?code:in=http://x.example/vs", "?patient.name=x", "?_filter=code%20eq%20x", "?nonsense=1", "?category:not=laboratory", "?"} {
		_, got, err := granted(ctx, t, "launch/patient patient/Patient.rs patient/Observation.rs"+query)
		if c.Note(err) {
			for _, s := range got {
				c.That(!strings.HasPrefix(s, "patient/Observation") || strings.Contains(s, query) && query != "?", "%q was granted as %q", query, s)
			}
		}
	}
	return c.Err()
}

func scpNotMore(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	_, got, err := granted(ctx, t, "launch/patient patient/Patient.r")
	if c.Note(err) {
		for _, s := range got {
			c.That(s == "launch/patient" || s == "patient/Patient.r", "%q was granted", s)
		}
	}
	return c.Err()
}

func scpFHIRUser(ctx context.Context, t *kit.Target) error {
	g, got, err := granted(ctx, t, "fhirUser launch/patient patient/Patient.rs")
	if err != nil || g == nil {
		return err
	}
	var c kit.Check
	c.That(g.Text("id_token") == "", "an id_token without openid")
	c.That(!slices.Contains(got, "openid"), "openid was granted without being asked")
	return c.Err()
}

func scpOffline(ctx context.Context, t *kit.Target) error {
	b := t.NewBrowser(t.Person(t.Patient()))
	client := t.Client("public")
	g, err := t.Launch(ctx, kit.Launch{Client: client, Scope: plainScope, Visit: kit.Visit{Browser: b}})
	if err != nil {
		return err
	}
	if err := b.SignOut(ctx, t.Config.Management); err != nil {
		return err
	}
	res, err := t.Refresh(ctx, client, g.RefreshToken(), "")
	if err != nil {
		return err
	}
	if res.Status != http.StatusOK {
		return fmt.Errorf("after log-out: %s", res)
	}
	return nil
}

func scpNoRefresh(ctx context.Context, t *kit.Target) error {
	g, got, err := granted(ctx, t, "launch/patient patient/Patient.rs")
	if err != nil || g == nil {
		return orElse(err, "the request was refused")
	}
	if g.RefreshToken() != "" {
		return fmt.Errorf("a refresh token was given for %v", got)
	}
	return nil
}

func scpUnknownType(ctx context.Context, t *kit.Target) error {
	g, got, err := granted(ctx, t, "launch/patient patient/Foo.rs patient/Patient.rs unknown-thing")
	if err != nil {
		return err
	}
	if g == nil {
		return fmt.Errorf("the whole request was refused; real apps ask for unknown types")
	}
	var c kit.Check
	c.That(slices.Contains(got, "patient/Patient.rs"), "granted %v", got)
	c.That(!slices.Contains(got, "patient/Foo.rs") && !slices.Contains(got, "unknown-thing"), "granted %v", got)
	return c.Err()
}

func scpSystem(ctx context.Context, t *kit.Target) error {
	_, got, err := granted(ctx, t, "launch/patient patient/Patient.rs system/Observation.rs system/*.cruds")
	if err != nil {
		return err
	}
	for _, s := range got {
		if strings.HasPrefix(s, "system/") {
			return fmt.Errorf("%q was granted", s)
		}
	}
	return nil
}

func scpLimits(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for what, scope := range map[string]string{
		"20 kB":               strings.Repeat("patient/Observation.rs ", 900),
		"a control character": "patient/Patient.rs\x00",
		"a quotation mark":    `launch/patient patient/Patient.rs?a="b"`,
	} {
		req, _ := request(t)
		req.Set("scope", scope)
		a, err := t.Authorize(ctx, req, visit(t))
		if c.Note(err) {
			c.That(a.Code() == "", "%s: a code was given", what)
			c.That(a.Query.Get("error") != "" || a.Query == nil && a.Last.Status >= 400 && a.Last.Status < 500, "%s: %s", what, a)
		}
	}
	return c.Err()
}

func scpWords(ctx context.Context, t *kit.Target) error {
	req, _ := request(t)
	req.Set("scope", "openid fhirUser launch/patient offline_access patient/*.rs "+observations("laboratory"))
	a, err := t.Authorize(ctx, req, visit(t))
	if err != nil {
		return err
	}
	var c kit.Check
	if !c.That(a.ConsentPage != nil, "no consent page: %s", a) {
		return c.Err()
	}
	f := a.ConsentPage.ConsentForm()
	boxes := 0
	for _, field := range f.Fields {
		if field.Type != "checkbox" && field.Type != "radio" {
			continue
		}
		boxes++
		c.That(field.Label != "", "the box %s has no label", field.Name)
		c.That(!strings.Contains(field.Label, ".rs") && !strings.Contains(field.Label, "patient/"), "the box %s says %q", field.Name, field.Label)
	}
	c.That(boxes > 10, "only %d boxes for a wildcard", boxes)
	return c.Err()
}

func scpCase(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	_, got, err := granted(ctx, t, "launch/patient patient/Patient.rs patient/observation.rs Patient/Condition.rs")
	if c.Note(err) {
		text := strings.Join(got, " ")
		c.That(!strings.Contains(text, "bservation") && !strings.Contains(text, "Condition"), "granted %v", got)
	}
	_, one, err := granted(ctx, t, "launch/patient patient/Patient.rs patient/Observation.rs")
	c.Note(err)
	_, two, err := granted(ctx, t, "patient/Observation.rs patient/Patient.rs launch/patient patient/Patient.rs")
	c.Note(err)
	slices.Sort(two)
	c.That(len(one) > 0 && sameSet(one, slices.Compact(two)), "%v and %v", one, two)
	return c.Err()
}
