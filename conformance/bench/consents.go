package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/conformance"
	"github.com/mandate-health/mandate/conformance/bench/measure"
	"github.com/mandate-health/mandate/conformance/kit"
)

// What the design asks of Consents, in milliseconds.
const (
	goalCold      = 2
	goalDecision  = 20
	goalAuthorize = 300
	goalPushed    = 1000
	goalPolled    = 5000
	// goalGrowth is how much longer a decision may take among all others.
	goalGrowth = 1.25
)

const (
	// mostConsents is how many one patient has at most: the daughter's patient has
	// so many, the others from none to that.
	mostConsents = 50
	// patientsFor is how many Consents there are to a patient on average.
	patientsFor = 10
	// tokenLife is how long a proxy's token is used before a fresh one is asked for.
	tokenLife = 4 * time.Minute
)

// consenting is the state of one run of the mode consents.
type consenting struct {
	rig    *rig
	target *kit.Target
	found  []finding
	// story is the Consent of the daughter, of which all others are copies.
	story   map[string]any
	id      string
	version int
	grant   *kit.Grant
	granted time.Time
	browser *kit.Browser
}

// consents measures what decisions by Consents cost: with few and with many of
// them, with what is compiled and without, from the authorization request to the
// token, and from a withdrawal to the refusal at another node.
func (r *rig) consents(ctx context.Context) ([]finding, error) {
	target, err := conformance.Open(ctx, conformance.Options{ReadyFile: filepath.Join(r.dir, subjectDB+"-ready.json")})
	if err != nil {
		return nil, err
	}
	c := &consenting{rig: r, target: target}
	for _, step := range []func(context.Context) error{c.begin, c.alone, c.load, c.among, c.cold, c.authorize, c.revoked} {
		if err := step(ctx); err != nil {
			return c.found, err
		}
	}
	return c.found, ctx.Err()
}

func (c *consenting) add(what string, value number, goal float64) {
	f := finding{What: what, Value: value}
	if goal > 0 {
		f.Sign, f.Goal = atMost, goal
	}
	c.found = append(c.found, f)
	c.rig.say("%s: %s", what, value.text("%.4g"))
}

// spread tells three percentiles of what was timed, the last with a goal.
func (c *consenting) spread(what string, took []time.Duration, last float64, goal float64) {
	slices.Sort(took)
	c.add(what+", p50 ms", millis(measure.Percentile(took, 50)), 0)
	c.add(fmt.Sprintf("%s, p%g ms", what, last), millis(measure.Percentile(took, last)), goal)
}

// admin asks the administration API.
func (c *consenting) admin(ctx context.Context, base, method, path, match string, body any) (*kit.Response, error) {
	r := kit.Request{Method: method, URL: base + path, Bearer: c.target.AdminAPI.Token}
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		r.Type, r.Body = "application/fhir+json", strings.NewReader(string(raw))
	}
	if match != "" {
		r.Header = http.Header{"If-Match": {match}}
	}
	res, err := c.target.Do(ctx, r)
	if err == nil && res.Status >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s: %s", res, res.Body)
	}
	return res, err
}

func (c *consenting) api() string { return strings.TrimSuffix(c.target.AdminAPI.URL, "/") }

// begin finds the Consent of the story and signs the daughter in.
func (c *consenting) begin(ctx context.Context) error {
	res, err := c.admin(ctx, c.api(), http.MethodGet, "/consents?patient=rosa", "", nil)
	if err != nil {
		return err
	}
	var answer struct {
		Consents []map[string]any `json:"consents"`
	}
	if err := json.Unmarshal(res.Body, &answer); err != nil {
		return err
	}
	for _, one := range answer.Consents {
		raw, err := json.Marshal(one["provision"])
		if err == nil && one["status"] == "active" && strings.Contains(string(raw), "RelatedPerson/rosa-elena") {
			c.story = one
		}
	}
	if c.story == nil {
		return fmt.Errorf("the daughter of the story has no Consent")
	}
	c.id, _ = c.story["id"].(string)
	c.version = 1
	for _, name := range []string{"id", "meta", "identifier", "text"} {
		delete(c.story, name)
	}
	c.browser = c.target.NewBrowser(c.target.Person("elena"))
	return c.renew(ctx)
}

// launch walks from the authorization request to the token.
func (c *consenting) launch(ctx context.Context) (*kit.Grant, error) {
	return c.target.Launch(ctx, kit.Launch{
		Client: c.target.Client("public"), Scope: "launch/patient patient/MedicationRequest.rs", Visit: kit.Visit{Browser: c.browser, Patient: "rosa"},
	})
}

// renew gets a token where the last one is about to end.
func (c *consenting) renew(ctx context.Context) error {
	if now := c.rig.clock.Now(); c.grant == nil || now.Sub(c.granted) > tokenLife {
		var err error
		if c.grant, err = c.launch(ctx); err != nil {
			return err
		}
		c.granted = now
	}
	return nil
}

// decide asks the decision point about the daughter's token, and tells how long the
// answer took.
func (c *consenting) decide(ctx context.Context) (time.Duration, error) {
	if err := c.renew(ctx); err != nil {
		return 0, err
	}
	pdp := c.target.DecidingClient()
	begin := c.rig.clock.Now()
	res, err := c.target.Do(ctx, kit.Request{
		Method: http.MethodPost, URL: c.target.Issuer + "/access/v1/evaluation", Type: "application/json", Basic: &[2]string{pdp.ID, pdp.Secret},
		Body: strings.NewReader(`{"subject":{"type":"access_token","id":"` + c.grant.Access() + `"},"action":{"name":"search-type"},"resource":{"type":"MedicationRequest","id":"*"}}`),
	})
	took := c.rig.clock.Now().Sub(begin)
	if err == nil && res.JSON()["decision"] != true {
		err = fmt.Errorf("the decision is %s: %s", res, res.Body)
	}
	return took, err
}

// decisions asks so often, one after the other.
func (c *consenting) decisions(ctx context.Context, n int) (took []time.Duration, err error) {
	for range n {
		one, err := c.decide(ctx)
		if err != nil {
			return nil, err
		}
		took = append(took, one)
	}
	return took, nil
}

// times is how often something is measured.
func (c *consenting) times(n int) int {
	if c.rig.short {
		return max(n/50, 2)
	}
	return n
}

func (c *consenting) alone(ctx context.Context) error {
	if _, err := c.decisions(ctx, c.times(100)); err != nil {
		return err
	}
	took, err := c.decisions(ctx, c.times(1000))
	if err == nil {
		c.spread("a decision before anything is loaded", took, 95, 0)
	}
	return err
}

func (c *consenting) among(ctx context.Context) error {
	if _, err := c.decisions(ctx, c.times(100)); err != nil {
		return err
	}
	took, err := c.decisions(ctx, c.times(1000))
	if err != nil {
		return err
	}
	before := c.found[0].Value
	c.spread(fmt.Sprintf("a decision among %d Consents", c.rig.consentRows), took, 95, goalDecision)
	slices.Sort(took)
	c.add("p50 among all ÷ alone", number(measure.Ratio(float64(millis(measure.Percentile(took, 50))), float64(before))), goalGrowth)
	return nil
}

// touch files the daughter's Consent anew: what was compiled of the patient is old.
func (c *consenting) touch(ctx context.Context, status string) error {
	doc := map[string]any{}
	for k, v := range c.story {
		doc[k] = v
	}
	doc["id"], doc["status"] = c.id, status
	_, err := c.admin(ctx, c.api(), http.MethodPut, "/consents/"+c.id, fmt.Sprintf(`W/"%d"`, c.version), doc)
	c.version++
	return err
}

// cold compares the first decision after a change, which compiles fifty Consents of
// the patient, with the second.
func (c *consenting) cold(ctx context.Context) error {
	var added []time.Duration
	for range c.times(200) {
		if err := c.touch(ctx, "active"); err != nil {
			return err
		}
		first, err := c.decide(ctx)
		if err != nil {
			return err
		}
		second, err := c.decide(ctx)
		if err != nil {
			return err
		}
		added = append(added, first-second)
	}
	slices.Sort(added)
	c.add(fmt.Sprintf("the first decision after a change of %d Consents of one patient, more than the second, p50 ms", mostConsents),
		millis(measure.Percentile(added, 50)), goalCold)
	return nil
}

// authorize times the way from the authorization request to the token, with every
// page between, the browser of this program included.
func (c *consenting) authorize(ctx context.Context) error {
	var took []time.Duration
	for range c.times(100) {
		begin := c.rig.clock.Now()
		g, err := c.launch(ctx)
		if err != nil {
			return err
		}
		took = append(took, c.rig.clock.Now().Sub(begin))
		c.grant, c.granted = g, begin
	}
	c.spread("authorize to token of a proxy, all pages", took, 95, goalAuthorize)
	return nil
}
