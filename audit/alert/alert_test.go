package alert_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/alert"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func well() audit.SealStatus {
	return audit.SealStatus{Tenant: "default", Size: 9, Passed: noon(), Swept: noon()}
}

func named(alerts []alert.Alert) string {
	var out []string
	for _, a := range alerts {
		out = append(out, strings.TrimSpace(a.Rule+" "+a.Subject))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// Each rule finds its own fault and nothing else, and lets the limit itself
// pass.
func TestRules(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(s *alert.Snapshot)
		want  string
	}{
		"all is well":   {func(*alert.Snapshot) {}, ""},
		"rows missing":  {func(s *alert.Snapshot) { s.Seals[0].Lost = 2 }, "audit-rows-missing default"},
		"an old event":  {func(s *alert.Snapshot) { s.Seals[0].Oldest = noon().Add(-2 * time.Minute) }, "audit-backlog default"},
		"a young event": {func(s *alert.Snapshot) { s.Seals[0].Oldest = noon().Add(-time.Minute) }, ""},
		"no pass":       {func(s *alert.Snapshot) { s.Seals[0].Passed = noon().Add(-2 * time.Minute) }, "audit-backlog default"},
		"unreadable":    {func(s *alert.Snapshot) { s.Seals[0].Unreadable = []string{"e1"} }, "audit-unreadable default"},
		"backdated": {func(s *alert.Snapshot) {
			s.Seals[0].Backdated, s.Seals[0].BackdatedAt = 2, noon().Add(-59*time.Minute)
		}, "audit-backdated default"},
		"backdated long ago": {func(s *alert.Snapshot) {
			s.Seals[0].Backdated, s.Seals[0].BackdatedAt = 2, noon().Add(-time.Hour)
		}, ""},
		"silent":          {func(s *alert.Snapshot) { s.Beats[1].Ago = 61 * time.Second }, "node-silent b"},
		"almost silent":   {func(s *alert.Snapshot) { s.Beats[1].Ago = time.Minute }, ""},
		"fast clock":      {func(s *alert.Snapshot) { s.Beats[1].Skew = 3 * time.Second }, "clock-skew b"},
		"slow clock":      {func(s *alert.Snapshot) { s.Beats[1].Skew = -3 * time.Second }, "clock-skew b"},
		"apart":           {func(s *alert.Snapshot) { s.Beats[0].Skew, s.Beats[1].Skew = -time.Second, 1500*time.Millisecond }, "clock-skew b"},
		"a dead node's":   {func(s *alert.Snapshot) { s.Beats[1].Skew, s.Beats[1].Ago = time.Hour, time.Hour }, "node-silent b"},
		"stalled":         {func(s *alert.Snapshot) { s.Stream.Since = noon().Add(-2 * time.Minute) }, "audit-stream-stalled siem:6514"},
		"no stream":       {func(s *alert.Snapshot) { s.Stream = nil }, ""},
		"just failing":    {func(s *alert.Snapshot) { s.Stream.Since = noon().Add(-time.Second) }, ""},
		"not this node's": {func(s *alert.Snapshot) { s.Seals, s.Beats = nil, nil }, ""},
		"all at once":     {func(s *alert.Snapshot) { s.Seals[0].Lost, s.Beats[0].Ago = 1, time.Hour }, "audit-rows-missing default, node-silent a"},
	} {
		s := alert.Snapshot{Now: noon(), Seals: []audit.SealStatus{well()}, Beats: []alert.Beat{{Node: "a", At: noon()}, {Node: "b", At: noon()}},
			Stream: &alert.Stream{Address: "siem:6514"}}
		c.spoil(&s)
		if got := named(alert.Find(s, alert.Limits{})); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// shelf is a store whose heartbeats a test sets.
type shelf struct {
	beats  []alert.Beat
	beat   []string
	events []audit.Event
	down   bool
}

func (s *shelf) err() error {
	if s.down {
		return errs.New(errs.Unavailable, "store-down", "down")
	}
	return nil
}
func (s *shelf) Beat(_ context.Context, node string, _ time.Time) error {
	s.beat = append(s.beat, node)
	return s.err()
}
func (s *shelf) Beats(context.Context) ([]alert.Beat, error) { return s.beats, s.err() }
func (s *shelf) Leave(_ context.Context, node string) error {
	s.beats = slices.DeleteFunc(s.beats, func(b alert.Beat) bool { return b.Node == node })
	return s.err()
}
func (s *shelf) AppendAudit(_ context.Context, e audit.Event) error {
	if err := s.err(); err != nil {
		return err
	}
	s.events = append(s.events, e)
	return nil
}
func (s *shelf) Audits(context.Context, audit.Filter) ([]audit.Event, error) {
	out := slices.Clone(s.events)
	slices.Reverse(out)
	return out, s.err()
}

// What goes wrong is told once and so is its end, by whichever node seals and
// over a restart.
func TestToldOnce(t *testing.T) {
	store := &shelf{beats: []alert.Beat{{Node: "a", At: noon()}, {Node: "gone", At: noon(), Ago: time.Hour}}}
	seals := []audit.SealStatus{well()}
	watcher := func(leads bool) *alert.Watcher {
		return alert.New(alert.Deps{Store: store, Node: "a", Tenant: "default", Clock: clock.Fixed(noon()),
			Stream: func() *alert.Stream { return nil },
			Seals: func() []audit.SealStatus {
				if leads {
					return seals
				}
				return nil
			}})
	}
	round := func(w *alert.Watcher, want ...string) {
		t.Helper()
		before := len(store.events)
		if err := w.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range store.events[before:] {
			got = append(got, e.Reason+" "+e.Detail["subject"]+" "+e.Detail["state"]+" "+string(e.Outcome))
		}
		if !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	first, follower := watcher(true), watcher(false)
	round(follower)
	round(first, "node-silent gone raised 4")
	round(first)
	if v := first.Values(); v.Alerts["node-silent"] != 1 || v.Alerts["clock-skew"] != 0 || len(v.Alerts) != 7 || len(v.Skews) != 2 || v.Seals[0].Size != 9 {
		t.Errorf("%+v", v)
	}
	second := watcher(true)
	round(second)
	seals[0].Lost = 3
	round(second, "audit-rows-missing default raised 8")
	// A node that does not seal cannot know that it is over.
	round(follower)
	seals[0].Lost, store.beats[1].Ago = 0, 25*time.Hour
	round(second, "audit-rows-missing default cleared 0")
	round(second, "node-silent gone cleared 0")
	store.down = true
	if err := second.Round(t.Context()); !errs.Is(err, errs.Unavailable) {
		t.Error(err)
	}
	store.down = false
	if err := second.Leave(t.Context()); err != nil || len(store.beats) != 0 {
		t.Error(err, store.beats)
	}
}
