package proxy_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

func by(person string, at time.Time) proxy.Signed { return proxy.Signed{By: person, At: at} }

func invited(t interface{ Fatal(...any) }) proxy.Case {
	c, err := proxy.Invite(proxy.Invitation{Name: " Bea  Brook ", Email: "bea@example.org", Relationship: "FRND"}, "t", "c1", "rosa", by("p-rosa", now))
	if err != nil {
		t.Fatal(err)
	}
	c.Secret = "hash"
	return c
}

// move is one step that somebody tries; most do not fit.
type move func(c proxy.Case, person string, at time.Time) (proxy.Case, error)

func moves() map[string]move {
	terms := func(at time.Time) proxy.Terms {
		return proxy.Terms{Kinds: []string{"medicines"}, Until: at.AddDate(0, 2, 0)}
	}
	out := turnMoves()
	maps.Copy(out, agentMoves())
	maps.Copy(out, map[string]move{
		"accept": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.Accept(p, by(p, at)) },
		"proof": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) {
			return c.Proof(proxy.Proofing{Signed: by(p, at), Documents: []string{"passport", "driving-licence"}})
		},
		"attest": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) {
			return c.Attest(proxy.Authority{Kind: "HPOWATT", Trigger: proxy.TriggerCapacity}, by(p, at))
		},
		"attest-now": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) {
			return c.Attest(proxy.Authority{Kind: "GUARD", Trigger: proxy.TriggerImmediate, Ends: at.AddDate(0, 1, 0)}, by(p, at))
		},
		"verify": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) {
			return c.Verify(ticks(c), time.Time{}, by(p, at))
		},
		"determine": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) {
			c, _, err := c.Determine(by(p, at))
			return c, err
		},
		"confirm": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) {
			return c.Confirm(terms(at), at.Add(proxy.Wait), by(p, at))
		},
		"change": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) {
			return c.Change(proxy.ActChange, terms(at), by(p, at))
		},
		"file": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) {
			return c.Filed([]proxy.Paper{{ID: "d", Kind: "HPOWATT"}}, by(p, at))
		},
		"undo":    func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.Undo(by(p, at)) },
		"begin":   func(c proxy.Case, _ string, at time.Time) (proxy.Case, error) { return c.Begin(at) },
		"expire":  func(c proxy.Case, _ string, at time.Time) (proxy.Case, error) { return c.Expire(at) },
		"lapse":   func(c proxy.Case, _ string, at time.Time) (proxy.Case, error) { return c.Lapse(at) },
		"pause":   func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.Pause(by(p, at), "x") },
		"resume":  func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.Resume(by(p, at)) },
		"restore": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.Restore(by(p, at), "x") },
		"reject": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) {
			return c.Reject("documents", by(p, at))
		},
		"revoke": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.Revoke(by(p, at), "x") },
		"resign": func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.Resign(by(p, at)) },
		"part":   func(c proxy.Case, p string, at time.Time) (proxy.Case, error) { return c.Part(by(p, at)) },
	})
	return out
}

// SP-22: whatever happens in whatever order, access implies a proofed identity
// and the patient's consent, or an authority that two people checked and that,
// when it springs, two clinicians woke. What is over stays over.
func TestActiveImpliesProofedAndAgreed(t *testing.T) {
	all := moves()
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	reached := map[proxy.State]int{}
	starts := []proxy.Case{invited(t), parent(t), woken(t)}
	sequence := func(r *rapid.T) {
		c, at, closed := rapid.SampledFrom(starts).Draw(r, "start"), now.Add(2*time.Hour), false
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			at = at.Add(time.Duration(rapid.SampledFrom([]int{1, 5, 60, 60 * 24, 60 * 24 * 40}).Draw(r, "minutes")) * time.Minute)
			before := c
			who, choice := rapid.SampledFrom([]string{"p-a", "p-b", "p-c"}).Draw(r, "who"), names
			if rapid.IntRange(0, 3).Draw(r, "fits") > 0 {
				choice = fitting(c, who, at)
			}
			if len(choice) == 0 {
				continue
			}
			next, err := all[rapid.SampledFrom(choice).Draw(r, "move")](c, who, at)
			if err != nil {
				if next.State != before.State || len(next.Steps) != len(before.Steps) {
					r.Fatalf("a refused step changed the case: %+v", next)
				}
				continue
			}
			if before.State.Over() && !next.State.Over() {
				r.Fatalf("something followed the end: %+v", next)
			}
			// What two determinations woke anew began anew; lifecycle asks there.
			closed = next.Mourned() || closed && next.DeathNoted() && next.State != proxy.StateVerified
			if closed && next.State == proxy.StateActive {
				r.Fatalf("an access that a death closed was opened without taking the death back: %+v", next)
			}
			c = next
			if s := c.At(at); s == proxy.StateActive || c.State == proxy.StateActive {
				grounded(r, c)
			}
			reached[c.At(at)]++
		}
	}
	for range 8 {
		rapid.Check(t, sequence)
	}
	for _, s := range []proxy.State{proxy.StateActive, proxy.StateSuspended, proxy.StateVerified, proxy.StateRevoked, proxy.StateEnded, proxy.StateProposed, proxy.StateBereaved} {
		if reached[s] == 0 {
			t.Errorf("no sequence reached %s", s)
		}
	}
}

// grounded fails where an access runs on less than it must.
func grounded(r *rapid.T, c proxy.Case) {
	if !c.Proofed() || c.Confirmed.Zero() && !c.Authority.Verified() {
		r.Fatalf("active without proof or agreement: %+v", c)
	}
	if c.Cosigned.Zero() != (c.Ward.Band(c.Starts) != proxy.BandTeen) {
		r.Fatalf("a teenager's access without two signatures: %+v", c)
	}
	if c.Basis == proxy.BasisRepresentative && (c.Authority.Attested.By == c.Authority.Checked.By ||
		c.Authority.Trigger == proxy.TriggerCapacity && len(c.Determined) < 2) {
		r.Fatalf("an authority was not checked: %+v", c)
	}
	if c.Alternate() && c.Unavailable.Zero() {
		r.Fatalf("an alternate acts without a reason: %+v", c)
	}
}

// fitting lists the moves that are possible and end nothing.
func fitting(c proxy.Case, who string, at time.Time) []string {
	var out []string
	for name, m := range moves() {
		if next, err := m(c, who, at); err == nil && !next.State.Over() {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// walk takes named moves by persons, one minute apart.
func walk(t *testing.T, c proxy.Case, steps ...[2]string) proxy.Case {
	t.Helper()
	for i, s := range steps {
		var err error
		if c, err = moves()[s[0]](c, s[1], now.Add(time.Duration(i+1)*time.Minute)); err != nil {
			t.Fatalf("%v: %v", s, err)
		}
	}
	return c
}

// LC-03: a grant begins by the clock after ten minutes, and can be undone until
// then; LC-09: it ends by the clock too, whether or not anybody notes it.
func TestAGrantBeginsAndEndsByTheClock(t *testing.T) {
	c := walk(t, invited(t), [2]string{"accept", "p-bea"}, [2]string{"proof", "p-hale"}, [2]string{"confirm", "p-rosa"})
	for at, want := range map[time.Time]proxy.State{
		c.Starts.Add(-1): proxy.StateConfirmed, c.Starts: proxy.StateActive,
		c.Terms.Until: proxy.StateActive, c.Terms.Until.Add(1): proxy.StateExpired,
	} {
		if got := c.At(at); got != want {
			t.Errorf("%s at %s, not %s", got, at, want)
		}
	}
	if _, err := c.Undo(by("p-rosa", c.Starts)); !errs.Is(err, errs.Conflict) {
		t.Errorf("undone after the begin: %v", err)
	}
	back, err := c.Undo(by("p-rosa", c.Starts.Add(-time.Second)))
	if err != nil || back.State != proxy.StateProofed || !back.Confirmed.Zero() || back.Terms.Kinds != nil {
		t.Errorf("%+v %v", back, err)
	}
}

// LC-07: renewals are asked for 30, 14 and 3 days before an end, each once.
// CPA TF-18; FX-16.
func TestRenewalPrompts(t *testing.T) {
	c := walk(t, invited(t), [2]string{"accept", "p-bea"}, [2]string{"proof", "p-hale"}, [2]string{"confirm", "p-rosa"})
	c, err := c.Begin(c.Starts)
	if err != nil {
		t.Fatal(err)
	}
	day := func(n int) time.Time { return c.Terms.Until.AddDate(0, 0, -n) }
	var asked []int
	for n := 60; n >= 0; n-- {
		if days, ok := c.Prompt(day(n)); ok {
			asked = append(asked, n)
			if days != n {
				t.Errorf("%d days before the end the prompt of %d", n, days)
			}
			c.Prompted = days
		}
	}
	if !slices.Equal(asked, proxy.Prompts()) {
		t.Errorf("asked %v days before", asked)
	}
	if due := c.NextDue(day(20)); !due.Equal(day(14)) {
		t.Errorf("looked at again at %s", due)
	}
}

// SP-10: an end is required, lies ahead and within twelve months.
func TestTermsNeedAnEnd(t *testing.T) {
	c := walk(t, invited(t), [2]string{"accept", "p-bea"}, [2]string{"proof", "p-hale"})
	for code, terms := range map[string]proxy.Terms{
		"proxy-end-missing": {Kinds: []string{"medicines"}},
		"proxy-end-past":    {Kinds: []string{"medicines"}, Until: now.Add(-time.Hour)},
		"proxy-end-late":    {Kinds: []string{"medicines"}, Until: now.AddDate(1, 0, 3)},
		"proxy-nothing":     {Until: now.AddDate(0, 1, 0)},
	} {
		if _, err := c.Confirm(terms, now, by("p-rosa", now)); errs.As(err).Code != code {
			t.Errorf("%v, want %s", err, code)
		}
	}
}

// SP-04, LC-13, LC-15: four eyes on an instrument, two clinicians on capacity.
// CPA TF-23.
func TestFourEyes(t *testing.T) {
	c := walk(t, invited(t), [2]string{"accept", "p-marcus"}, [2]string{"proof", "p-hale"}, [2]string{"attest", "p-hale"})
	if _, err := c.Verify(ticks(c), time.Time{}, by("p-hale", now)); errs.As(err).Code != "proxy-same-reviewer" {
		t.Error(err)
	}
	c = walk(t, c, [2]string{"verify", "p-osei"})
	if code := c.Effective(now); code != "proxy-not-activated" {
		t.Error(code)
	}
	c = walk(t, c, [2]string{"determine", "p-hale"})
	if _, _, err := c.Determine(by("p-hale", now)); errs.As(err).Code != "proxy-same-reviewer" {
		t.Error(err)
	}
	c = walk(t, c, [2]string{"determine", "p-osei"}, [2]string{"confirm", "p-osei"})
	c, err := c.Restore(by("p-hale", now.Add(time.Hour)), "capacity-restored")
	if err != nil || c.State != proxy.StateVerified || len(c.Determined) != 0 {
		t.Errorf("%+v %v", c, err)
	}
}

// LC-01, LC-02: what cannot be an invitation, and nobody proofs themself.
func TestInvitations(t *testing.T) {
	for code, in := range map[string]proxy.Invitation{
		"proxy-name": {Name: "  ", Email: "a@b.example", Relationship: "FRND"}, "proxy-email": {Name: "A", Email: "A <a@b.example>", Relationship: "FRND"},
		"proxy-relationship": {Name: "A", Email: "a@b.example", Relationship: "HPOWATT"},
	} {
		if _, err := proxy.Invite(in, "t", "c", "rosa", by("p", now)); errs.As(err).Code != code {
			t.Errorf("%v, want %s", err, code)
		}
	}
	c := invited(t)
	if c.Name != "Bea Brook" || !c.SameAddress(" BEA@example.org ") || c.SameAddress("b@example.org") {
		t.Errorf("%+v", c)
	}
	if !c.Open(now) || c.Open(now.Add(proxy.InviteLife)) {
		t.Error("seven days")
	}
	c.Tries = proxy.InviteTries
	if c.Open(now) {
		t.Error("open after five wrong answers")
	}
	again, err := c.Resend("h2", by("p-rosa", now))
	if err != nil || !again.Open(now) || again.Secret != "h2" {
		t.Errorf("%+v %v", again, err)
	}
	c = walk(t, again, [2]string{"accept", "p-bea"})
	if _, err := c.Proof(proxy.Proofing{Signed: by("p-bea", now), Documents: []string{"passport", "insurance-card"}}); errs.As(err).Code != "proxy-self" {
		t.Error(err)
	}
	if _, err := c.Proof(proxy.Proofing{Signed: by("p-hale", now), Documents: []string{"passport", "passport"}}); errs.As(err).Code != "proxy-documents" {
		t.Error(err)
	}
}
