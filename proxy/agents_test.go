package proxy_test

import (
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// agentMoves are the moves of people who stand in for others.
func agentMoves() map[string]move {
	return map[string]move{
		"attest-alternate": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) {
			return c.Attest(proxy.Authority{Kind: "HPOWATT", Trigger: proxy.TriggerImmediate, Place: 1}, by(p, at))
		},
		"instead": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) {
			return c.Instead(by(p, at)).Confirm(proxy.Terms{Kinds: []string{"medicines"}, Until: at.AddDate(0, 2, 0)}, at, by(p, at))
		},
		"step-back": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.StepBack(by(p, at)) },
	}
}

// FX-29, FX-30: who may have a place in the order of agents, and who may be bound to
// another.
func TestWhoStandsInAndWhoActsTogether(t *testing.T) {
	for name, c := range map[string]struct {
		in   proxy.Authority
		want string
	}{
		"second to stand in":   {proxy.Authority{Kind: "DPOWATT", Place: 2}, ""},
		"third to stand in":    {proxy.Authority{Kind: "HPOWATT", Place: 3}, "proxy-place"},
		"before the first":     {proxy.Authority{Kind: "HPOWATT", Place: -1}, "proxy-place"},
		"guardian in an order": {proxy.Authority{Kind: "GUARD", Place: 1}, "proxy-place"},
		"guardians together":   {proxy.Authority{Kind: "GUARD", Joint: true}, ""},
		"executor with others": {proxy.Authority{Kind: "EXCEST", Joint: true}, "proxy-joint"},
	} {
		c.in.Trigger = proxy.TriggerImmediate
		got, err := walk(t, invited(t), [2]string{"accept", "p-bea"}, [2]string{"proof", "p-hale"}).Attest(c.in, by("p-hale", now))
		switch {
		case c.want == "" && (err != nil || got.Authority.Attested.Zero()):
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || errs.As(err).Code != c.want):
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// FX-29: an alternate sleeps until somebody says that whoever is named before cannot
// act; that is the reason of the step. Back to sleep, it must be said again.
func TestAnAlternateNeedsAReason(t *testing.T) {
	c := walk(t, invited(t), [2]string{"accept", "p-bea"}, [2]string{"proof", "p-hale"}, [2]string{"attest-alternate", "p-hale"}, [2]string{"verify", "p-osei"})
	if !c.Dormant() {
		t.Fatal("an alternate does not sleep")
	}
	terms := proxy.Terms{Kinds: []string{"medicines"}, Until: now.AddDate(0, 2, 0)}
	if _, err := c.Confirm(terms, now, by("p-hale", now)); err == nil || errs.As(err).Code != "proxy-primary-unavailable" {
		t.Errorf("without a reason: %v", err)
	}
	on, err := c.Instead(by("p-hale", now)).Confirm(terms, now, by("p-hale", now))
	if err != nil || on.Why() != proxy.PrimaryUnavailable || on.Dormant() {
		t.Fatalf("%v %q", err, on.Why())
	}
	off, err := on.StepBack(by("p-osei", now))
	if err != nil || !off.Dormant() || off.Why() != proxy.PrimaryAvailable || off.Effective(now) != "proxy-primary-unavailable" {
		t.Errorf("%v %+v", err, off)
	}
	first := walk(t, invited(t), [2]string{"accept", "p-bea"}, [2]string{"proof", "p-hale"}, [2]string{"attest", "p-hale"}, [2]string{"verify", "p-osei"})
	first.ID = "c0"
	if !first.NamedBefore(c) || c.NamedBefore(first) || c.NamedBefore(c) {
		t.Error("the order")
	}
	if _, err := first.Instead(by("p-hale", now)).StepBack(by("p-hale", now)); err == nil {
		t.Error("who is named first steps back")
	}
}

// FX-30: who must act together with another looks alone and changes nothing alone.
func TestTogetherMeansNobodyActsAlone(t *testing.T) {
	c := proxy.Case{Terms: proxy.Terms{Functions: []string{"download", "message", "schedule", "refill", "sign-forms", "upload", "billing"}, Kinds: []string{"visits"}}}
	c.Authority.Joint = true
	if got := c.Granted(); !slices.Equal(got.Functions, []string{"download", "billing"}) || !slices.Equal(got.Kinds, []string{"visits"}) {
		t.Errorf("%v", got)
	}
}
