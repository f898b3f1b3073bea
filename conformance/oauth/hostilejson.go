package oauth

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// desks are the endpoints that take JSON, each with a body that is good.
func desks(t *kit.Target) ([]kit.Request, []string, error) {
	ehr, _ := t.ClientByID(t.LaunchAPI.ClientID)
	client, err := service(t)
	if err != nil {
		return nil, nil, err
	}
	entry, err := json.Marshal(client)
	if err != nil {
		return nil, nil, err
	}
	admin := strings.TrimSuffix(t.AdminAPI.URL, "/")
	launch := `{"client_id":"` + t.Client("public").ID + `"}`
	return []kit.Request{
		{URL: t.LaunchAPI.URL, Basic: &[2]string{ehr.ID, ehr.Secret}}, {URL: admin + "/launches", Bearer: t.AdminAPI.Token}, {URL: admin + "/clients", Bearer: t.AdminAPI.Token},
	}, []string{launch, launch, string(entry)}, nil
}

// hostileTwins: a member that is given twice is the first to some readers and the
// last to others. A body that is good but for that is refused, at every endpoint
// and at every depth.
func hostileTwins(ctx context.Context, t *kit.Target) error {
	endpoints, bodies, err := desks(t)
	if err != nil {
		return err
	}
	var c kit.Check
	causes := map[string]bool{}
	for i, r := range endpoints {
		r.Method, r.Type = http.MethodPost, "application/json"
		name := strings.Split(bodies[i], `"`)[1]
		value := bodies[i][strings.Index(bodies[i], ":")+1 : strings.IndexAny(bodies[i], ",}")]
		for what, twin := range map[string]string{
			"the same": `"` + name + `":` + value, "another value": `"` + name + `":"x"`, "in capitals": `"` + strings.ToUpper(name) + `":` + value,
			"written otherwise": `"\u00` + hex(name[0]) + name[1:] + `":` + value,
		} {
			r.Body = strings.NewReader(`{` + twin + `,` + bodies[i][1:])
			res, err := t.Do(ctx, r)
			if !c.Note(err) {
				continue
			}
			if id := res.Text("client_id"); res.Status < 300 && id != "" {
				forget(ctx, t, id)
			}
			c.That(res.Status == http.StatusBadRequest && res.Text("launch") == "", "%s twice, %s: %s", name, what, res)
			causes[res.Text("error_code")+res.Text("code")] = true
		}
	}
	c.That(len(causes) == 1, "the endpoints tell different causes: %v", causes)
	return c.Err()
}

// hex gives a character as \u00xx has it.
func hex(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}
