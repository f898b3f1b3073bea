package gateway_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/limit"
	"github.com/mandate-health/mandate/web/gateway"
)

// SA-16: what FHIR does not allow in a narrative is not stored, what it allows
// is, and a "<" in the text of a laboratory is no markup.
func TestNarrative(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/Observation.cruds", self("rosa"))
	post := func(div string) reply {
		quoted, err := json.Marshal(div)
		if err != nil {
			t.Fatal(err)
		}
		body := strings.Replace(observation("x", "rosa", "laboratory", `,"text":{"status":"generated","div":`+string(quoted)+`}`), `"id":"x",`, "", 1)
		return w.do("rosa", "POST", "/Observation", strings.Replace(body, "rosa-note", "K < 3.5 & falling", 1))
	}
	const open = `<div xmlns="http://www.w3.org/1999/xhtml">`
	for _, good := range []string{
		open + `</div>`, open + `<p class="x">K &lt; 3.5&nbsp;mmol/l <b>low</b><br/></p></div>`,
		open + `<table><tbody><tr><td colspan="2"><a href="#x">see</a> <a href="Observation/lab">it</a> <a href="https://lake.example/x">more</a></td></tr></tbody></table></div>`,
		open + `<img src="data:image/png;base64,AAAA" alt="x"/><span style="color: red">x</span></div>`, `<div>x</div>`,
	} {
		post(good).want(201)
	}
	for _, bad := range []string{
		open + `<script>alert(1)</script></div>`, open + `<p onclick="x()">x</p></div>`, open + `<a href="javascript:alert(1)">x</a></div>`,
		open + `<a href=" java&#10;script:alert(1)">x</a></div>`, open + `<iframe src="https://x.example"/></div>`, open + `<form/></div>`, open + `<style>p{}</style></div>`,
		open + `<p style="background: url(https://x.example)">x</p></div>`, open + `<img src="data:text/html,x"/></div>`, open + `<svg xmlns="http://www.w3.org/2000/svg"/></div>`,
		open + `<p>x</div>`, `<p>x</p>`, `text`, open + `</div><div/>`, `<!DOCTYPE div>` + open + `</div>`, `<?xml version="1.0"?>` + open + `</div>`,
		open + strings.Repeat("<div>", 200) + strings.Repeat("</div>", 200) + `</div>`,
	} {
		if r := post(bad); r.status != 422 {
			t.Errorf("%s was answered with %d", bad, r.status)
		}
	}
	// Nor by a patch, nor inside of what is contained.
	w.do("rosa", "PATCH", "/Observation/lab", `[{"op":"add","path":"/text","value":{"status":"generated","div":"<div><script/></div>"}}]`, "Content-Type: application/json-patch+json").want(422)
	inside := strings.Replace(observation("x", "rosa", "laboratory", `,"contained":[{"resourceType":"Organization","id":"o","name":"x","text":{"status":"generated","div":"<div><object/></div>"}}]`), `"id":"x",`, "", 1)
	if r := w.do("rosa", "POST", "/Observation", inside).want(422); r.code() != "narrative-not-allowed" {
		t.Error(r.raw)
	}
}

// SA-16: a reference is one of the forms that R4 has.
func TestReferenceShapes(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/Observation.cruds", self("rosa"))
	body := func(ref string) string {
		return strings.Replace(observation("x", "rosa", "laboratory", `,"performer":[{"reference":"`+ref+`"}]`), `"id":"x",`, "", 1)
	}
	for _, good := range []string{"Practitioner/chen", "Practitioner/chen/_history/1", "https://other.example/fhir/Practitioner/1"} {
		w.do("rosa", "POST", "/Observation", body(good)).want(201)
	}
	for _, bad := range []string{"javascript:alert(1)", "../Practitioner/chen", "file:///etc/passwd", "Practitioner/", "https://user:pw@other.example/x", "urn:x:y"} {
		if r := w.do("rosa", "POST", "/Observation", body(bad)); r.status != 422 && r.status != 400 {
			t.Errorf("%s was answered with %d", bad, r.status)
		}
	}
	w.modes(map[string]string{"input": "audit"})
	w.do("rosa", "POST", "/Observation", body("file:///etc/passwd")).want(201)
	if got := w.log.last().Detail[gateway.WouldDeny]; got != "input:reference-shape" {
		t.Errorf("the event tells %q", got)
	}
}

// Every request counts for its client, its person and the patient whose record
// it is about, before anything is asked; too many are told to wait.
func TestAdmit(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/Observation.rs", self("rosa"))
	w.system("lab", "system/Observation.rs")
	var counted []gateway.Caller
	full := ""
	w.deps.Admit = func(_ context.Context, tenant string, c gateway.Caller) error {
		if counted = append(counted, c); c.Patient == full && full != "" {
			return errs.New(errs.RateLimited, "too-many", "Too many requests.")
		}
		return nil
	}
	w.rebuild()
	w.get("rosa", "/Observation/lab").want(200)
	w.get("lab", "/Observation/lab").want(200)
	if len(counted) != 2 || counted[0] != (gateway.Caller{Client: "app", Person: "person", Patient: "rosa"}) || counted[1] != (gateway.Caller{Client: "backend-lab"}) {
		t.Errorf("%+v", counted)
	}
	before := len(*w.asked)
	full = "rosa"
	if r := w.get("rosa", "/Observation/lab").want(429); r.header.Get("Retry-After") == "" {
		t.Error("the client is not told how long to wait")
	}
	if len(*w.asked) != before {
		t.Error("the upstream was asked")
	}
	w.get("lab", "/Observation/lab").want(200)
}

// permits is what all nodes share.
type permits struct {
	mu    sync.Mutex
	full  map[string]time.Time
	clock clock.Clock
}

func (p *permits) TakePermits(_ context.Context, _, key string, n int, r limit.Rule) (bool, time.Duration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	next := p.full[key]
	if next.Before(now) {
		next = now
	}
	if next = next.Add(time.Duration(n) * r.Every); next.Sub(now) > time.Duration(r.Burst)*r.Every {
		return false, r.Every, nil
	}
	p.full[key] = next
	return true, 0, nil
}

// A service that exports more than usual, by whatever nodes, is told of by one event
// an hour, and gets what it may have.
func TestExportSpike(t *testing.T) {
	w := newWorld(t)
	shared := &permits{full: map[string]time.Time{}, clock: w.clock}
	node := func() {
		l := limit.New(shared, w.clock)
		w.deps.Spike = 8
		w.deps.Spiked = func(ctx context.Context, tenant, client string, perHour int) bool {
			return l.Take(ctx, tenant, "export:"+client, limit.PerHour(perHour)) != nil && l.Take(ctx, tenant, "export-told:"+client, limit.PerHour(1)) == nil
		}
		w.rebuild()
	}
	w.system("all", "system/Observation.rs")
	told := func() (n int) {
		w.log.mu.Lock()
		defer w.log.mu.Unlock()
		for _, e := range w.log.events {
			if e.Kind == audit.AuditAlert && e.Reason == "export-spike" && e.ClientID == "backend-all" {
				n++
			}
		}
		return n
	}
	export := func(want int) {
		t.Helper()
		node()
		files := w.exported("all", "/$export?_type=Observation")
		if r := w.get("all", strings.TrimPrefix(files[0].URL, base)).want(200); strings.Count(r.raw, "\n") != 6 {
			t.Fatal(r.raw)
		}
		if told() != want {
			t.Errorf("%d events, not %d", told(), want)
		}
	}
	export(0)
	export(1)
	export(1)
	w.clock.Set(w.clock.Now().Add(2 * time.Hour))
	export(1)
	export(2)
}
