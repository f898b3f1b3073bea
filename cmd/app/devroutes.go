package app

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/web/demo/screens"
	"github.com/mandate-health/mandate/web/route"
)

const ownerDev = "cmd/app"

// outboxLimit is how many notices the development outbox shows.
const outboxLimit = 200

// devRoutes exist only in development: they move the clock, show what would
// have been sent, list every screen and tell where time goes.
func (t *tenant) devRoutes() []route.Route {
	on := func(method, path string, h http.Handler) route.Route {
		return route.Route{Method: method, Path: path, Auth: route.Dev, PHI: route.Identifiers, Owner: ownerDev, Handler: h}
	}
	all := http.StripPrefix("/dev/screens", screens.New(t.kit))
	outbox := on("GET", "/dev/outbox", http.HandlerFunc(t.showOutbox))
	if !t.isHome() {
		return []route.Route{outbox}
	}
	return append(t.profileRoutes(),
		outbox,
		// Any page in the developer's browser could reach it otherwise.
		on("POST", "/dev/clock", t.session.Protect(http.HandlerFunc(t.moveClock))),
		on("GET", "/dev/screens", http.RedirectHandler("/dev/screens/", http.StatusSeeOther)),
		on("GET", "/dev/screens/{path:.*}", all),
	)
}

// moveClock takes {"advance":"24h"} or {"now":"2027-01-01T00:00:00Z"} and
// answers with the new time.
func (t *tenant) moveClock(w http.ResponseWriter, r *http.Request) {
	m, ok := t.clock.(*clock.Movable)
	if !ok {
		t.notFound(w, r)
		return
	}
	var body struct {
		Advance string     `json:"advance"`
		Now     *time.Time `json:"now"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&body); err != nil {
		t.problem.JSON(w, r, errs.Wrap(err, errs.Invalid, "clock-malformed", "Send {\"advance\":\"24h\"} or {\"now\":\"2027-01-01T00:00:00Z\"}."))
		return
	}
	switch {
	case body.Now != nil:
		m.Set(*body.Now)
	default:
		d, err := time.ParseDuration(body.Advance)
		if err != nil {
			t.problem.JSON(w, r, errs.Wrap(err, errs.Invalid, "clock-malformed", "advance is not a duration such as 24h."))
			return
		}
		m.Advance(d)
	}
	t.log.WarnContext(r.Context(), "development: the clock was moved", "now", t.clock.Now())
	t.writeJSON(w, map[string]time.Time{"now": t.clock.Now()})
}

func (t *tenant) showOutbox(w http.ResponseWriter, r *http.Request) {
	notices, err := t.store.Notices(r.Context(), t.id, outboxLimit)
	if err != nil {
		t.problem.JSON(w, r, err)
		return
	}
	for _, n := range notices {
		if ticket := n.Args["ticket"]; n.Template == identity.NoticeSentCode && ticket != "" {
			// It is stored nowhere: this page stands for the message.
			n.Args["code"] = t.identity.SentCode(ticket)
		}
	}
	t.writeJSON(w, map[string]any{"notices": notices})
}

func (t *tenant) writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v)
}

// adminToken is what the administration API of this tenant opens to in
// development, "" for nobody. Each tenant has its own, told in the ready file.
func (t *tenant) adminToken() string {
	if t.devToken == "" || t.isHome() {
		return t.devToken
	}
	return ids.Hasher{Key: []byte(t.devToken)}.Hash("admin", t.id)
}
