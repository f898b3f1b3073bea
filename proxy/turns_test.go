package proxy_test

import (
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// turnMoves are the moves that the law, a court, a feed or two people bring.
func turnMoves() map[string]move {
	return map[string]move{
		"attest-parent": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) {
			w := proxy.Ward{Jurisdiction: "US", Teen: now.AddDate(0, 1, 0), Adult: now.AddDate(0, 8, 0)}
			return c.AttestParent(proxy.Authority{Kind: proxy.Parent}, w, by(p, at))
		},
		"propose": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) {
			return c.Propose(proxy.Terms{Kinds: []string{"medicines"}, Until: at.AddDate(0, 1, 0)}, by(p, at))
		},
		"cosign": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.Cosign(at, by(p, at)) },
		"ripen": func(c proxy.Case, _ string, at time.Time) (proxy.Case, error) {
			if !c.Ripe(at) {
				return c, errs.New(errs.Conflict, "proxy-step", "Not yet.")
			}
			return c.Ripen(at)
		},
		"free": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.Free("married", by(p, at)) },
		"review": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) {
			c, _, err := c.Review(at.AddDate(0, 2, 0), by(p, at))
			return c, err
		},
		"dispute": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.Dispute(by(p, at)) },
		"settle":  func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.Settle(by(p, at)) },
		"yield":   func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.Yield(by(p, at)) },
		"mourn":   func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.Mourn(30, by(p, at)) },
		"revive":  func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.Revive(by(p, at)) },
		"merge": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) {
			return c.Merge(proxy.PatientMerged, "", by(p, at))
		},
		"unmerge": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.Unmerge(by(p, at)) },
		"vouch": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) {
			c, _, err := c.Vouch("no-papers", by(p, at))
			return c, err
		},
		"remote": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) {
			return c.Remote("ref-1", by("client:proofer", at))
		},
		"hand-on": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.HandOn(by(p, at)) },
	}
}

// parent gives the verified case of a mother of a child who is a teenager in a
// month and an adult in eight.
func parent(t *testing.T) proxy.Case {
	t.Helper()
	return walk(t, invited(t), [2]string{"accept", "p-dana"}, [2]string{"proof", "p-hale"}, [2]string{"attest-parent", "p-hale"}, [2]string{"verify", "p-osei"})
}

// LC-20, LC-21, LC-22: what a parent has shrinks on one birthday and ends on the
// next, or before when the law says so.
func TestAParentSeesLessEachYear(t *testing.T) {
	c := parent(t)
	until := c.Ward.Adult.Add(-time.Second)
	c, err := c.Confirm(proxy.Terms{Kinds: []string{"notes", "results"}, Until: until}, now.Add(time.Hour), by("p-hale", now.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	birthday := c.Ward.Teen
	if c.Ripe(birthday.Add(-1)) || !c.Ripe(birthday) {
		t.Error("the birthday begins at another time")
	}
	if c, err = c.Begin(now.Add(2 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	if due := c.NextDue(now.Add(2 * time.Hour)); !due.Equal(birthday) {
		t.Errorf("looked at again at %s", due)
	}
	teen, err := c.Ripen(birthday)
	if err != nil || slices.Contains(teen.Terms.Kinds, "notes") || teen.Ripe(birthday) || !teen.Terms.Until.Equal(until) {
		t.Errorf("%+v %v", teen.Terms, err)
	}
	if s := teen.At(until); s != proxy.StateActive {
		t.Errorf("%s on the last day", s)
	}
	over, err := teen.Expire(until.Add(2 * time.Second))
	if err != nil || over.Why() != "came-of-age" {
		t.Errorf("%s %v", over.Why(), err)
	}
	if freed, err := teen.Free("emancipated", by("p-hale", birthday)); err != nil || !freed.State.Over() {
		t.Error(err)
	}
	adult := invited(t)
	adult = walk(t, adult, [2]string{"accept", "p-dana"}, [2]string{"proof", "p-hale"})
	past := proxy.Ward{Teen: now.AddDate(-9, 0, 0), Adult: now.AddDate(-4, 0, 0)}
	for _, w := range []proxy.Ward{{}, past} {
		if _, err := adult.AttestParent(proxy.Authority{Kind: proxy.Parent}, w, by("p-hale", now.Add(time.Hour))); errs.As(err).Code != "proxy-not-minor" {
			t.Error(err)
		}
	}
}

// FX-24, FX-33: with one of two signatures a grant of a teenager stays proposed;
// neither the parent nor staff can begin it alone.
// CPA TF-13; FX-33.
func TestTwoSignForATeenager(t *testing.T) {
	c, at := parent(t), now.AddDate(0, 2, 0)
	if _, err := c.Confirm(proxy.Terms{Kinds: []string{"medicines"}, Until: at.AddDate(0, 1, 0)}, at, by("p-hale", at)); errs.As(err).Code != "proxy-two-sign" {
		t.Error(err)
	}
	for code, terms := range map[string]proxy.Terms{
		"proxy-teen-most": {Kinds: []string{"notes"}, Until: at.AddDate(0, 1, 0)},
		"proxy-end-late":  {Kinds: []string{"medicines"}, Until: c.Ward.Adult.AddDate(0, 0, 1)},
		"proxy-nothing":   {Until: at.AddDate(0, 1, 0)},
	} {
		if _, err := c.Propose(terms, by("p-noah", at)); errs.As(err).Code != code {
			t.Errorf("%v, want %s", err, code)
		}
	}
	c, err := c.Propose(proxy.Terms{Kinds: []string{"medicines"}, Until: at.AddDate(0, 1, 0)}, by("p-noah", at))
	if err != nil || c.At(at.AddDate(0, 0, 20)) != proxy.StateProposed {
		t.Fatalf("%s %v", c.State, err)
	}
	if _, err := c.Cosign(at, by("p-noah", at)); errs.As(err).Code != "proxy-same-reviewer" {
		t.Error(err)
	}
	if _, err := c.Begin(at.Add(time.Hour)); err == nil {
		t.Error("one signature begins it")
	}
	if c, err = c.Cosign(at.Add(proxy.Wait), by("p-dana", at)); err != nil || c.At(at.Add(proxy.Wait)) != proxy.StateActive {
		t.Errorf("%s %v", c.State, err)
	}
}

// woken gives a springing access that two clinicians began until now+30 days.
func woken(t *testing.T) proxy.Case {
	t.Helper()
	c := walk(t, invited(t), [2]string{"accept", "p-marcus"}, [2]string{"proof", "p-hale"}, [2]string{"attest", "p-hale"}, [2]string{"verify", "p-osei"},
		[2]string{"determine", "p-hale"}, [2]string{"determine", "p-osei"})
	at := now.Add(time.Hour)
	c, err := c.Confirm(proxy.Terms{Kinds: []string{"notes"}, Functions: []string{"download", "message"}, Until: now.AddDate(0, 0, 30)}, at, by("p-osei", at))
	if err == nil {
		c, err = c.Begin(at)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// LC-14: people are warned seven and two days before a review; two clinicians look
// again, and the access goes on without a gap; a court's date is never passed.
func TestAReviewIsWarnedOfAndTakesTwo(t *testing.T) {
	c := woken(t)
	var warned []int
	for n := 29; n >= 0; n-- {
		if days, ok := c.Prompt(c.Terms.Until.AddDate(0, 0, -n)); ok {
			warned, c.Prompted = append(warned, n), days
		}
	}
	if !slices.Equal(warned, proxy.ReviewPrompts()) {
		t.Errorf("warned %v days before", warned)
	}
	at, until := now.AddDate(0, 0, 29), now.AddDate(0, 0, 60)
	one, done, err := c.Review(until, by("p-hale", at))
	if err != nil || done || !one.Terms.Until.Equal(c.Terms.Until) {
		t.Fatalf("%t %v", done, err)
	}
	if _, _, err := one.Review(until, by("p-hale", at)); errs.As(err).Code != "proxy-same-reviewer" {
		t.Error(err)
	}
	two, done, err := one.Review(until.AddDate(0, 0, 20), by("p-osei", at))
	if err != nil || !done || !two.Terms.Until.Equal(until) || len(two.Looked) != 0 || two.Prompted != 0 {
		t.Errorf("%s %t %v", two.Terms.Until, done, err)
	}
	if s := two.At(now.AddDate(0, 0, 40)); s != proxy.StateActive {
		t.Errorf("%s between", s)
	}
	court := c
	court.Authority.Ends = now.AddDate(0, 0, 45)
	court.Looked = []proxy.Signed{by("p-hale", at)}
	court.LookedUntil = until
	if court, _, err = court.Review(until, by("p-osei", at)); err != nil || !court.Terms.Until.Before(court.Authority.Ends) {
		t.Errorf("%s %v", court.Terms.Until, err)
	}
}

// LC-17: while agent and patient disagree nothing is changed, and all is read.
func TestADisputeHoldsChangesAndNotReads(t *testing.T) {
	c := woken(t)
	at := now.Add(2 * time.Hour)
	d, err := c.Dispute(by("p-rosa", at))
	if err != nil || !slices.Equal(d.Granted().Functions, []string{"download"}) || !slices.Equal(d.Granted().Kinds, c.Terms.Kinds) {
		t.Errorf("%+v %v", d.Granted(), err)
	}
	if _, err := d.Dispute(by("p-marcus", at)); !errs.Is(err, errs.Conflict) {
		t.Error(err)
	}
	if d, err = d.Settle(by("p-hale", at)); err != nil || !slices.Equal(d.Granted().Functions, c.Terms.Functions) {
		t.Errorf("%+v %v", d.Granted(), err)
	}
}

// LC-23, LC-24: a death narrows to what there was, for a time; taken back, the terms
// of before hold.
// CPA TF-16; FX-31.
func TestADeathNarrowsAndIsTakenBack(t *testing.T) {
	c, at := woken(t), now.Add(3*time.Hour)
	m, err := c.Mourn(30, by("p-osei", at))
	if err != nil || m.State != proxy.StateBereaved || !m.Terms.DataUntil.Equal(at) || !slices.Equal(m.Terms.Functions, []string{"message"}) || !m.Mourned() {
		t.Fatalf("%+v %v", m, err)
	}
	if s := m.At(at.AddDate(0, 0, 31)); s != proxy.StateExpired {
		t.Errorf("%s after the days", s)
	}
	back, err := m.Revive(by("p-osei", at.Add(time.Hour)))
	if err != nil || back.State != proxy.StateActive || !back.Terms.Until.Equal(c.Terms.Until) || !slices.Equal(back.Terms.Functions, c.Terms.Functions) {
		t.Errorf("%+v %v", back, err)
	}
	if none, err := c.Mourn(0, by("p-osei", at)); err != nil || none.State != proxy.StateSuspended {
		t.Errorf("%s %v", none.State, err)
	}
}

// LC-27: two records become one by what both gave, and two again by what was before.
// CPA TR-43.
func TestAMergeIsTheIntersection(t *testing.T) {
	c, at := woken(t), now.Add(3*time.Hour)
	m, err := c.Merge(proxy.PatientMerged, "other", by("client:mpi", at))
	if err != nil {
		t.Fatal(err)
	}
	m = m.Meet(proxy.Terms{Kinds: []string{"notes", "plans"}, Functions: []string{"message"}, Until: at.AddDate(0, 0, 5)})
	if m.State != proxy.StateSuspended || !slices.Equal(m.Terms.Kinds, []string{"notes"}) || !slices.Equal(m.Terms.Functions, []string{"message"}) || !m.Terms.Until.Equal(at.AddDate(0, 0, 5)) {
		t.Errorf("%s %+v", m.State, m.Terms)
	}
	back, err := m.Unmerge(by("client:mpi", at.Add(time.Hour)))
	if err != nil || back.State != proxy.StateActive || !slices.Equal(back.Terms.Functions, c.Terms.Functions) || !back.Terms.Until.Equal(c.Terms.Until) {
		t.Errorf("%s %+v %v", back.State, back.Terms, err)
	}
	carried := c.Carry("c2", "other", by("client:mpi", at))
	if carried.State != proxy.StateSuspended || carried.RelationID != "" || !carried.Carried() || carried.Patient != "other" {
		t.Errorf("%+v", carried)
	}
}

// LC-24, LC-27: what rested before a merge, or was narrowed by a death, is so again
// once staff have looked, on the record that stays as on the one that went into it.
// CPA TR-43.
func TestAMergeOpensNothing(t *testing.T) {
	at := func(h int) time.Time { return now.Add(time.Duration(3+h) * time.Hour) }
	paused := func(c proxy.Case) (proxy.Case, error) { return c.Pause(by("p-rosa", at(0)), proxy.ByPatient) }
	mourned := func(c proxy.Case) (proxy.Case, error) { return c.Mourn(20, by("p-osei", at(0))) }
	died := func(c proxy.Case) (proxy.Case, error) { return c.Mourn(0, by("p-osei", at(0))) }
	held := func(c proxy.Case) (proxy.Case, error) { return c.Pause(by("p-rosa", at(0)), proxy.SafetyHold) }
	for name, tc := range map[string]struct {
		before func(proxy.Case) (proxy.Case, error)
		state  proxy.State
		why    string
	}{
		"open":            {func(c proxy.Case) (proxy.Case, error) { return c, nil }, proxy.StateActive, ""},
		"paused":          {paused, proxy.StateSuspended, proxy.ByPatient},
		"held":            {held, proxy.StateSuspended, proxy.SafetyHold},
		"after a death":   {mourned, proxy.StateBereaved, proxy.PatientDied},
		"dead, no days":   {died, proxy.StateSuspended, proxy.PatientDied},
		"paused, a death": {func(c proxy.Case) (proxy.Case, error) { c, _ = paused(c); return c.Report(by("p-hale", at(0))) }, proxy.StateSuspended, proxy.ByPatient},
	} {
		c, err := tc.before(woken(t))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		stays, err := c.Merge(proxy.PatientMerged, "c2", by("client:mpi", at(1)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for side, merged := range map[string]proxy.Case{"stays": stays, "carried": c.Carry("c2", "other", by("client:mpi", at(1)))} {
			if merged.State != proxy.StateSuspended || merged.Why() != proxy.PatientMerged || merged.Held() != (name == "held") {
				t.Errorf("%s, %s: %s %q rests otherwise", name, side, merged.State, merged.Why())
			}
			merged = merged.Meet(proxy.Terms{Kinds: []string{"notes"}, Functions: []string{"message"}, Until: at(24 * 5)})
			after, err := merged.Resume(by("p-hale", at(2)))
			if err != nil || after.State != tc.state || tc.why != "" && after.Why() != tc.why {
				t.Errorf("%s, %s: %s %q after staff looked: %v", name, side, after.State, after.Why(), err)
			}
			if after.DeathNoted() != c.DeathNoted() || slices.Contains(after.Terms.Kinds, "plans") {
				t.Errorf("%s, %s: death %v, %v", name, side, after.DeathNoted(), after.Terms.Kinds)
			}
			if !c.DeathNoted() {
				continue
			}
			if _, err := after.Resume(by("p-hale", at(3))); err == nil {
				t.Errorf("%s, %s: opened although a death was noted", name, side)
			}
			back, err := after.Revive(by("p-hale", at(3)))
			if err != nil || back.State != proxy.StateActive || !back.Terms.Until.Equal(at(24*5)) || !slices.Equal(back.Terms.Kinds, []string{"notes"}) {
				t.Errorf("%s, %s: the death taken back: %s %+v %v", name, side, back.State, back.Terms, err)
			}
		}
		apart, err := stays.Meet(proxy.Terms{}).Unmerge(by("client:mpi", at(2)))
		if err != nil || apart.State != c.State || tc.why != "" && apart.Why() != tc.why || !slices.Equal(apart.Terms.Kinds, c.Terms.Kinds) || (apart.Before == nil) != (c.Before == nil) {
			t.Errorf("%s: apart again %s %q %+v %v", name, apart.State, apart.Why(), apart.Terms, err)
		}
	}
}

// A law that changes, or a death that one person reports, takes nobody the way back
// from a pause.
func TestANoteKeepsTheReasonOfARest(t *testing.T) {
	c, err := woken(t).Pause(by("p-rosa", now.Add(3*time.Hour)), proxy.ByPatient)
	if err == nil {
		c, err = c.Report(by("p-hale", now.Add(4*time.Hour)))
	}
	if err != nil || c.Why() != proxy.ByPatient {
		t.Errorf("%q %v", c.Why(), err)
	}
}

// FX-28: an instrument opens what it says; one without the power over records opens
// none, and says so in a word for machines.
// CPA TF-11; FX-28.
func TestPowersOfAnInstrument(t *testing.T) {
	c := walk(t, invited(t), [2]string{"accept", "p-marcus"}, [2]string{"proof", "p-hale"})
	a := proxy.Authority{Kind: "HPOWATT", Trigger: proxy.TriggerImmediate, Powers: []string{"everything"}}
	if _, err := c.Attest(a, by("p-hale", now)); errs.As(err).Code != "proxy-power" {
		t.Error(err)
	}
	a.Powers = []string{"genetics"}
	c, err := c.Attest(a, by("p-hale", now.Add(time.Hour)))
	if err == nil {
		c, err = c.Verify(ticks(c), time.Time{}, by("p-osei", now.Add(time.Hour)))
	}
	if err != nil || c.Effective(now.Add(time.Hour)) != "proxy-power-records" {
		t.Errorf("%q %v", c.Effective(now.Add(time.Hour)), err)
	}
}

// LC-02: a referee alone proofs nobody.
func TestATrustedRefereeNeedsASecond(t *testing.T) {
	c := walk(t, invited(t), [2]string{"accept", "p-bea"})
	c, done, err := c.Vouch("no-papers", by("p-hale", now.Add(time.Hour)))
	if err != nil || done || c.Proofed() {
		t.Fatalf("%t %v", done, err)
	}
	for code, who := range map[string]string{"proxy-same-reviewer": "p-hale", "proxy-self": "p-bea"} {
		if _, _, err := c.Vouch("no-papers", by(who, now.Add(time.Hour))); errs.As(err).Code != code {
			t.Errorf("%v, want %s", err, code)
		}
	}
	if c, done, err = c.Vouch("no-papers", by("p-osei", now.Add(time.Hour))); err != nil || !done || c.Proofing.Method != proxy.MethodReferee {
		t.Errorf("%+v %v", c.Proofing, err)
	}
	if _, err := walk(t, invited(t), [2]string{"accept", "p-bea"}).Remote("", by("client:x", now)); errs.As(err).Code != "proxy-evidence" {
		t.Error(err)
	}
}

// CPA TR-32: whether a death stands does not depend on what else has happened to an
// access since; taken back after its days are over it opens nothing.
func TestADeathStandsUntilItIsTakenBack(t *testing.T) {
	c, at := woken(t), now.Add(3*time.Hour)
	if c.DeathNoted() || c.Revivable(at) {
		t.Error("noted before it happened")
	}
	m, err := c.Mourn(30, by("p-osei", at))
	if err != nil || !m.DeathNoted() || !m.Revivable(at) {
		t.Fatal(err)
	}
	late := at.AddDate(0, 0, 31)
	over, err := m.Expire(late)
	if err != nil || !over.DeathNoted() || !over.Revivable(late) || over.Mourned() {
		t.Fatalf("%+v %v", over, err)
	}
	back, err := over.Revive(by("p-osei", late.Add(time.Hour)))
	if err != nil || back.DeathNoted() || back.At(late.Add(2*time.Hour)) != proxy.StateExpired {
		t.Errorf("%+v %v", back, err)
	}
	if _, err := back.Revive(by("p-osei", late.Add(time.Hour))); err == nil {
		t.Error("taken back twice")
	}
}
