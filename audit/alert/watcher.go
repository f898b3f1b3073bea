package alert

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
)

// Every is how often Round should be called: what is wrong is told within two
// minutes, limits and sweeps included.
const Every = 15 * time.Second

// forget is how long a silent node is remembered.
const forget = 24 * time.Hour

// Deps is what a Watcher works with.
type Deps struct {
	Store Store
	// Node names this node among all, the same after a restart.
	Node string
	// Seals and Stream give what this node knows; nil of Stream for none.
	Seals  func() []audit.SealStatus
	Stream func() *Stream
	// Tenant is whose log takes what concerns the process.
	Tenant string
	Limits Limits
	Clock  clock.Clock
	Log    *slog.Logger
}

// Watcher raises an event when something goes wrong and another one when it is
// right again, once each. It is safe for concurrent use.
type Watcher struct {
	d Deps

	mu     sync.Mutex
	loaded bool
	active map[string]Alert
	beats  []Beat
}

// New gives a Watcher.
func New(d Deps) *Watcher {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Watcher{d: d, active: map[string]Alert{}}
}

// Round says that this node lives, looks, and raises what is new. Errors:
// errs.Unavailable; the next round tells what this one could not.
func (w *Watcher) Round(ctx context.Context) error {
	now := w.d.Clock.Now()
	if err := w.d.Store.Beat(ctx, w.d.Node, now); err != nil {
		return err
	}
	s := Snapshot{Now: now, Seals: w.d.Seals(), Stream: w.d.Stream()}
	if len(s.Seals) > 0 {
		beats, err := w.d.Store.Beats(ctx)
		if err != nil {
			return err
		}
		s.Beats = beats
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.load(ctx, now); err != nil {
		return err
	}
	w.beats = s.Beats
	if err := w.tell(ctx, now, Find(s, w.d.Limits)); err != nil {
		return err
	}
	for _, b := range s.Beats {
		if b.Ago > forget {
			if err := w.d.Store.Leave(ctx, b.Node); err != nil {
				return err
			}
		}
	}
	return nil
}

// Leave says good-bye, so that nobody calls this node silent.
func (w *Watcher) Leave(ctx context.Context) error { return w.d.Store.Leave(ctx, w.d.Node) }

// load reads which alerts stand, so that a restart does not raise them again.
func (w *Watcher) load(ctx context.Context, now time.Time) error {
	if w.loaded {
		return nil
	}
	events, err := w.d.Store.Audits(ctx, audit.Filter{Tenant: w.d.Tenant, Kinds: []audit.Kind{audit.AuditAlert}, Since: now.Add(-forget), Limit: 1000})
	if err != nil {
		return err
	}
	w.loaded = true
	known := map[string]bool{}
	for _, e := range events {
		a := Alert{Rule: e.Reason, Tenant: e.Detail["tenant"], Subject: e.Detail["subject"]}
		if !known[a.key()] && e.Detail["state"] == "raised" {
			w.active[a.key()] = a
		}
		known[a.key()] = true
	}
	return nil
}

// tell raises what is new and clears what is gone. What this node knows
// nothing about stays.
func (w *Watcher) tell(ctx context.Context, now time.Time, found []Alert) error {
	fresh := map[string]Alert{}
	for _, a := range found {
		fresh[a.key()] = a
		if _, known := w.active[a.key()]; known {
			continue
		}
		if err := w.d.Store.AppendAudit(ctx, w.event(a, now, "raised")); err != nil {
			return err
		}
		w.d.Log.ErrorContext(ctx, "audit alert", "rule", a.Rule, "subject", a.Subject, "detail", a.Detail)
		w.active[a.key()] = a
	}
	for key, a := range w.active {
		if _, still := fresh[key]; still || !w.judges(a) {
			continue
		}
		if err := w.d.Store.AppendAudit(ctx, w.event(a, now, "cleared")); err != nil {
			return err
		}
		w.d.Log.InfoContext(ctx, "audit alert cleared", "rule", a.Rule, "subject", a.Subject)
		delete(w.active, key)
	}
	return nil
}

// judges reports whether this node sees what the alert is about.
func (w *Watcher) judges(a Alert) bool {
	if a.Rule == "audit-stream-stalled" {
		return w.d.Stream() != nil
	}
	return len(w.d.Seals()) > 0
}

func (w *Watcher) event(a Alert, now time.Time, state string) audit.Event {
	detail := map[string]string{"state": state, "subject": a.Subject, "node": w.d.Node}
	if a.Tenant != "" {
		detail["tenant"] = a.Tenant
	}
	outcome := audit.Success
	if state == "raised" {
		maps.Copy(detail, a.Detail)
		if outcome = audit.MinorFailure; a.Serious {
			outcome = audit.SeriousFailure
		}
	}
	return audit.Event{Tenant: w.d.Tenant, Time: now, Kind: audit.AuditAlert, Action: "E", Outcome: outcome, Reason: a.Rule, Detail: detail}
}

// Values is what a metrics page shows.
type Values struct {
	// Alerts counts the standing alerts by rule; every rule is named.
	Alerts map[string]int
	// Seals is how sealing stands, empty on a node that does not seal.
	Seals []audit.SealStatus
	// Stream is how the syslog stream stands, nil for none.
	Stream *Stream
	// Skews is by how much the clock of each node is ahead, as this node last
	// saw it.
	Skews map[string]time.Duration
	// Silences is how long ago each node was heard of then.
	Silences map[string]time.Duration
}

// Values gives what stands now. It reads nothing from the store.
func (w *Watcher) Values() Values {
	v := Values{Alerts: map[string]int{}, Skews: map[string]time.Duration{}, Silences: map[string]time.Duration{}, Seals: w.d.Seals(), Stream: w.d.Stream()}
	for _, r := range rules() {
		v.Alerts[r.name] = 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.active {
		v.Alerts[a.Rule]++
	}
	for _, b := range w.beats {
		v.Skews[b.Node], v.Silences[b.Node] = b.Skew, b.Ago
	}
	return v
}
