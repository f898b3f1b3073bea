package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// decisions are the rows of the OpenID AuthZEN Authorization API 1.0.
func decisions() []kit.Row {
	need := kit.Login | kit.Deciding
	return []kit.Row{
		{ID: "MANDATE PDP-01", Title: "the metadata of the decision point names its endpoints below the issuer", Needs: kit.Deciding, Run: pdpMetadata},
		{ID: "MANDATE PDP-02", Title: "who has not the right to ask learns nothing", Needs: need | kit.Symmetric, Run: pdpGuarded},
		{ID: "MANDATE PDP-03", Title: "a decision is what the FHIR base does with the same token and request", Needs: need, Run: pdpSame},
		{ID: "MANDATE PDP-04", Title: "a resource that is shown is judged by itself: another patient's is refused", Needs: need, Run: pdpShown},
		{ID: "MANDATE PDP-05", Title: "a hidden and an absent resource are told alike", Needs: need, Run: pdpHidden},
		{ID: "MANDATE PDP-06", Title: "many questions are answered in order, as far as the semantic asks", Needs: need, Run: pdpMany},
		{ID: "MANDATE PDP-07", Title: "a token that is not good opens nothing, and what is malformed is refused", Needs: need, Run: pdpMalformed},
		{ID: "MANDATE PDP-08", Title: "the request id comes back as it was sent, and no answer is kept by caches", Needs: need, Run: pdpRequestID},
	}
}

type members = map[string]any

// verdict is an answer of the decision point.
type verdict struct {
	Decision bool
	Context  struct {
		Reasons []struct{ Rule, Code string }
		Error   *struct{ Status int }
	}
}

func (a verdict) code() string {
	if len(a.Context.Reasons) == 0 {
		return ""
	}
	return a.Context.Reasons[0].Code
}

// ask asks the decision point as the client that may.
func ask(ctx context.Context, t *kit.Target, path string, body any) (*kit.Response, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	c := t.DecidingClient()
	return t.Do(ctx, kit.Request{
		URL: t.Config.Issuer + path, Method: http.MethodPost, Body: bytes.NewReader(raw), Type: "application/json", Basic: &[2]string{c.ID, c.Secret},
		Header: http.Header{"X-Request-Id": {"pdp-request"}},
	})
}

const (
	pathOne  = "/access/v1/evaluation"
	pathMany = "/access/v1/evaluations"
)

func about(token, action, typ, id string) members {
	return members{"subject": members{"type": "access_token", "id": token}, "action": members{"name": action}, "resource": members{"type": typ, "id": id}}
}

// decided asks one question.
func decided(ctx context.Context, t *kit.Target, question members) (verdict, error) {
	var out verdict
	res, err := ask(ctx, t, pathOne, question)
	if err != nil {
		return out, err
	}
	var c kit.Check
	if c.That(res.Status == http.StatusOK, "%s", res) {
		c.Note(json.Unmarshal(res.Body, &out))
	}
	return out, c.Err()
}

func pdpMetadata(ctx context.Context, t *kit.Target) error {
	res, err := t.Do(ctx, kit.Request{URL: t.Config.Issuer + "/.well-known/authzen-configuration"})
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Status == http.StatusOK && strings.HasPrefix(res.Header.Get("Content-Type"), "application/json"), "%s", res)
	c.That(res.Text("policy_decision_point") == t.Config.Issuer, "policy_decision_point is %q", res.Text("policy_decision_point"))
	c.That(res.Text("access_evaluation_endpoint") == t.Config.Issuer+pathOne, "access_evaluation_endpoint is %q", res.Text("access_evaluation_endpoint"))
	c.That(res.Text("access_evaluations_endpoint") == t.Config.Issuer+pathMany, "access_evaluations_endpoint is %q", res.Text("access_evaluations_endpoint"))
	return c.Err()
}

func pdpGuarded(ctx context.Context, t *kit.Target) error {
	g, err := t.Standard(ctx, "symmetric", t.Patient(), appScope)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(about(g.Access(), "search-type", "Patient", "*"))
	if err != nil {
		return err
	}
	may := t.DecidingClient()
	var c kit.Check
	for _, path := range []string{pathOne, pathMany} {
		for what, r := range map[string]kit.Request{
			"nobody": {}, "a wrong secret": {Basic: &[2]string{may.ID, "wrong"}}, "a client without the right": {Basic: &[2]string{g.Client.ID, g.Client.Secret}},
			"a person's token": {Bearer: g.Access()}, "no token": {Bearer: "x"},
		} {
			r.URL, r.Method, r.Body, r.Type = t.Config.Issuer+path, http.MethodPost, bytes.NewReader(raw), "application/json"
			res, err := t.Do(ctx, r)
			if !c.Note(err) {
				continue
			}
			c.That(res.Status == http.StatusUnauthorized || res.Status == http.StatusForbidden, "%s at %s: %s", what, path, res)
			c.That(!bytes.Contains(res.Body, []byte(`"decision"`)), "%s is told %s", what, res.Body)
		}
	}
	return c.Err()
}

func pdpSame(ctx context.Context, t *kit.Target) error {
	const labs = "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
	g, err := t.Standard(ctx, "public", t.Patient(), "launch/patient patient/Patient.rs "+labs)
	if err != nil {
		return err
	}
	var c kit.Check
	for _, typ := range []string{"Patient", "Observation", "Condition", "AuditEvent", "Group"} {
		d, err := decided(ctx, t, about(g.Access(), "search-type", typ, "*"))
		c.Note(err)
		res, err := t.FHIR(ctx, g.Access(), typ)
		if c.Note(err) {
			c.That(d.Decision == (res.Status == http.StatusOK), "search of %s: decided %v (%s), answered %s", typ, d.Decision, d.code(), res)
		}
	}
	ids := []string{"nobody"}
	all, err := t.Standard(ctx, "public", t.Patient(), "launch/patient patient/Observation.rs")
	if err != nil {
		return err
	}
	for _, category := range []string{"laboratory", "vital-signs"} {
		res, err := t.FHIR(ctx, all.Access(), "Observation?_count=3&category="+category)
		if err != nil {
			return err
		}
		var bundle struct {
			Entry []struct{ Resource struct{ ID string } }
		}
		c.Note(json.Unmarshal(res.Body, &bundle))
		for _, e := range bundle.Entry {
			ids = append(ids, e.Resource.ID)
		}
	}
	seen := map[bool]int{}
	for _, id := range ids {
		d, err := decided(ctx, t, about(g.Access(), "read", "Observation", id))
		c.Note(err)
		res, err := t.FHIR(ctx, g.Access(), "Observation/"+id)
		if c.Note(err) {
			c.That(d.Decision == (res.Status == http.StatusOK), "Observation/%s: decided %v (%s), answered %s", id, d.Decision, d.code(), res)
		}
		seen[d.Decision]++
	}
	c.That(seen[true] > 0 && seen[false] > 1, "%d may be read, %d not: nothing was compared", seen[true], seen[false])
	return c.Err()
}

func pdpShown(ctx context.Context, t *kit.Target) error {
	g, err := t.Standard(ctx, "public", t.Patient(), "launch/patient patient/Observation.rs")
	if err != nil {
		return err
	}
	shown := func(patient string, change members) members {
		q := about(g.Access(), "read", "Observation", "shown")
		res := members{
			"resourceType": "Observation", "id": "shown", "status": "final", "code": members{"text": "x"}, "subject": members{"reference": "Patient/" + patient},
			"meta": members{"security": []members{{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"}}},
		}
		for name, v := range change {
			res[name] = v
		}
		q["resource"].(members)["properties"] = members{"resource": res}
		return q
	}
	var c kit.Check
	for what, q := range map[string]struct {
		ask  members
		want bool
	}{
		"their own": {shown(g.Patient(), nil), true}, "another's": {shown("somebody-else", nil), false}, "nobody's": {shown(g.Patient(), members{"subject": nil}), false},
	} {
		d, err := decided(ctx, t, q.ask)
		c.Note(err)
		c.That(d.Decision == q.want && d.code() != "", "%s: decided %v (%s)", what, d.Decision, d.code())
	}
	res, err := ask(ctx, t, pathOne, shown(g.Patient(), members{"id": "other"}))
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest, "a resource that is not the one named: %s", res)
	}
	return c.Err()
}

func pdpHidden(ctx context.Context, t *kit.Target) error {
	g, err := t.Standard(ctx, "public", t.Patient(), "launch/patient patient/Patient.rs")
	if err != nil {
		return err
	}
	var answers []string
	for _, id := range []string{"nobody-at-all", otherPatient(t, g.Patient())} {
		d, err := decided(ctx, t, about(g.Access(), "read", "Patient", id))
		if err != nil {
			return err
		}
		if d.Decision {
			return kit.Unmet{Why: "the app reads every Patient"}
		}
		raw, err := json.Marshal(d)
		if err != nil {
			return err
		}
		answers = append(answers, string(raw))
	}
	var c kit.Check
	c.That(answers[0] == answers[1], "absent: %s, hidden: %s", answers[0], answers[1])
	return c.Err()
}

// otherPatient gives a patient of the server beside one.
func otherPatient(t *kit.Target, not string) string {
	for _, p := range t.People {
		if i := slices.IndexFunc(p.Patients, func(id string) bool { return id != not }); i >= 0 {
			return p.Patients[i]
		}
	}
	return "another"
}

func pdpMany(ctx context.Context, t *kit.Target) error {
	g, err := t.Standard(ctx, "public", t.Patient(), "launch/patient patient/Patient.rs")
	if err != nil {
		return err
	}
	common := about(g.Access(), "search-type", "Patient", "*")
	all := []members{
		{"resource": members{"type": "Condition", "id": "*"}}, {}, {"action": members{"name": "dance"}},
		{"action": members{"name": "read"}, "resource": members{"type": "Patient", "id": g.Patient()}},
	}
	var c kit.Check
	for semantic, want := range map[string]string{
		"": "false true error true", "execute_all": "false true error true", "deny_on_first_deny": "false", "permit_on_first_permit": "false true",
	} {
		body := members{"subject": common["subject"], "action": common["action"], "resource": common["resource"], "evaluations": all}
		if semantic != "" {
			body["options"] = members{"evaluations_semantic": semantic}
		}
		res, err := ask(ctx, t, pathMany, body)
		if !c.Note(err) {
			continue
		}
		var out struct{ Evaluations []verdict }
		c.Note(json.Unmarshal(res.Body, &out))
		var got []string
		for _, e := range out.Evaluations {
			switch {
			case e.Context.Error != nil && !e.Decision:
				got = append(got, "error")
			case e.Decision:
				got = append(got, "true")
			default:
				got = append(got, "false")
			}
		}
		c.That(strings.Join(got, " ") == want, "%q: %v, want %s", semantic, got, want)
	}
	res, err := ask(ctx, t, pathMany, common)
	if c.Note(err) {
		c.That(res.Status == http.StatusOK && res.JSON()["decision"] == true, "without evaluations: %s %s", res, res.Body)
	}
	return c.Err()
}

func pdpMalformed(ctx context.Context, t *kit.Target) error {
	g, err := t.Standard(ctx, "public", t.Patient(), appScope)
	if err != nil {
		return err
	}
	var c kit.Check
	for what, q := range map[string]members{"an unknown token": about("x", "search-type", "Patient", "*"), "an unknown grant": {
		"subject": members{"type": "grant", "id": "nobody"}, "action": members{"name": "read"}, "resource": members{"type": "Patient", "id": "x"},
	}} {
		d, err := decided(ctx, t, q)
		c.Note(err)
		c.That(!d.Decision && strings.HasSuffix(d.code(), "-inactive"), "%s: %v %s", what, d.Decision, d.code())
	}
	good := about(g.Access(), "read", "Patient", "x")
	for what, q := range map[string]any{
		"no subject": members{"action": good["action"], "resource": good["resource"]}, "no action": members{"subject": good["subject"], "resource": good["resource"]},
		"no resource": members{"subject": good["subject"], "action": good["action"]}, "a list": []members{good}, "an unknown action": about(g.Access(), "dance", "Patient", "x"),
		"an id that is a path": about(g.Access(), "read", "Patient", "x/_history/1"), "an id with a query": about(g.Access(), "read", "Patient", "x?y=z"),
		"a type that is a path": about(g.Access(), "read", "Patient/x", "y"), "an unknown type": about(g.Access(), "search-type", "Nothing", "*"),
		"another subject": members{"subject": members{"type": "user", "id": "x"}, "action": good["action"], "resource": good["resource"]},
	} {
		res, err := ask(ctx, t, pathOne, q)
		if c.Note(err) {
			c.That(res.Status >= 400 && res.Status < 500 && !bytes.Contains(res.Body, []byte(`"decision"`)), "%s: %s %s", what, res, res.Body)
		}
	}
	return c.Err()
}

func pdpRequestID(ctx context.Context, t *kit.Target) error {
	g, err := t.Standard(ctx, "public", t.Patient(), appScope)
	if err != nil {
		return err
	}
	res, err := ask(ctx, t, pathOne, about(g.Access(), "search-type", "Patient", "*"))
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Header.Get("X-Request-Id") == "pdp-request", "X-Request-ID is %q", res.Header.Get("X-Request-Id"))
	c.That(strings.Contains(res.Header.Get("Cache-Control"), "no-store"), "Cache-Control is %q", res.Header.Get("Cache-Control"))
	return c.Err()
}
