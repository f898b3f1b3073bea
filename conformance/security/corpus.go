package security

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// corpus.json is a public list of ways by which records have leaked or could
// leak, as data: anybody can run it against any server. A case plants resources
// with a canary at the FHIR server behind, checks that the server behind shows
// it, and asks as an app of one patient. {me}, {other} and {canary} stand for
// that patient, another one, and the text that must not leave.
//
//go:embed corpus.json
var corpusText []byte

// leak is one case of the corpus.
type leak struct {
	ID    string   `json:"id"`
	Rows  []string `json:"rows"`
	Title string   `json:"title"`
	// SeenIn names where it happened, empty for a case that was thought of.
	SeenIn string            `json:"seen_in"`
	Scopes string            `json:"scopes"`
	Plant  []json.RawMessage `json:"plant"`
	// Control is a path at the server behind that does show the canary.
	Control string     `json:"control"`
	Ask     []question `json:"ask"`
	// Status lists the only statuses that are right; none takes any below 500.
	Status []int `json:"status"`
}

type question struct {
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Body   json.RawMessage `json:"body"`
}

// leakCanary is valid base64 too, so that it can stand in a Binary.
const leakCanary = "LeakCanary7Q4XT2"

// corpus gives a row for each case.
func corpus() []kit.Row {
	var cases []leak
	if err := json.Unmarshal(corpusText, &cases); err != nil {
		// A test reads it; a corpus that cannot be read must not pass for an empty one.
		return []kit.Row{{ID: "LEAK", Title: "the corpus can be read", Run: func(context.Context, *kit.Target) error { return err }}}
	}
	rows := make([]kit.Row, len(cases))
	for i, l := range cases {
		rows[i] = kit.Row{ID: l.ID, Title: l.Title, Also: l.Rows, Needs: kit.Login | kit.Upstream, Run: l.run}
	}
	return rows
}

// run plants, asks and takes away again.
func (l leak) run(ctx context.Context, t *kit.Target) error {
	w, err := enter(ctx, t, l.Scopes)
	if err != nil {
		return err
	}
	fill := strings.NewReplacer("{me}", w.me, "{other}", w.other, "{canary}", leakCanary).Replace
	for _, raw := range l.Plant {
		var resource map[string]any
		if err := json.Unmarshal([]byte(fill(string(raw))), &resource); err != nil {
			return err
		}
		remove, err := behindPut(ctx, t, resource)
		if err != nil {
			return err
		}
		defer remove()
	}
	shown, err := t.Behind(ctx, fill(l.Control))
	if err != nil {
		return err
	}
	if !strings.Contains(string(shown.Body), leakCanary) {
		return fmt.Errorf("the server behind does not show what was planted: %s", shown)
	}
	var c kit.Check
	for _, q := range l.Ask {
		l.ask(ctx, w, &c, q, fill)
	}
	return c.Err()
}

func (l leak) ask(ctx context.Context, w world, c *kit.Check, q question, fill func(string) string) {
	var body any
	if q.Body != nil {
		body = json.RawMessage(fill(string(q.Body)))
	}
	if q.Method == "" {
		q.Method = http.MethodGet
	}
	res, err := w.t.Write(ctx, w.token, q.Method, fill(q.Path), body, nil)
	if !c.Note(err) {
		return
	}
	// What was asked may come back in a link or a refusal; a record may not.
	c.That(strings.Contains(q.Path, "{canary}") || !strings.Contains(string(res.Body), leakCanary), "%s %s shows the record", q.Method, q.Path)
	c.That(res.Status < 500, "%s %s: %s", q.Method, q.Path, res)
	c.That(len(l.Status) == 0 || slices.Contains(l.Status, res.Status), "%s %s: status %d, not %v", q.Method, q.Path, res.Status, l.Status)
}
