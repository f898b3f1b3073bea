package matter_test

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/access/matter"
	"github.com/mandate-health/mandate/internal/errs"
)

// IB-01, TF-22: each ground has an id of its own and says where the law has it.
func TestGroundsAreData(t *testing.T) {
	list, err := matter.Grounds()
	if err != nil || len(list) < 7 {
		t.Fatal(list, err)
	}
	seen := map[string]bool{}
	for _, g := range list {
		if seen[g.ID] || g.Cite == "" || g.Text == "" || !matter.Known(g.ID) {
			t.Errorf("%+v", g)
		}
		seen[g.ID] = true
	}
	if matter.Known("because") || matter.Known("") {
		t.Error("a ground that there is not")
	}
}

// IB-05: ten working days, counted where the people are.
func TestTheClockCountsWorkingDays(t *testing.T) {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{
		"2026-11-23T12:00:00Z": "2026-12-08T05:59:59Z", // Monday noon
		"2026-11-28T12:00:00Z": "2026-12-12T05:59:59Z", // a Saturday
		"2026-11-24T03:00:00Z": "2026-12-08T05:59:59Z", // still Monday in Chicago
	} {
		at, _ := time.Parse(time.RFC3339, from)
		if got := matter.WorkingDays(at, 10, chicago).Format(time.RFC3339); got != want {
			t.Errorf("%s: due %s, want %s", from, got, want)
		}
	}
}

// TF-22, LC-17: nobody decides about what they did themself, no denial stands without
// a ground, and what was decided stays so.
func TestWhoDecidesAndHow(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	m := matter.Begin(matter.Review, "t", "m1", "rosa", "ann", now, time.UTC, "c1")
	m.DeniedBy = "hale"
	d := matter.Begin(matter.Dispute, "t", "m2", "rosa", "hale", now, time.UTC, "c1", "c2")
	for name, c := range map[string]struct {
		m          matter.Matter
		o          matter.Outcome
		ground, by string
		want       string
	}{
		"who denied":        {m, matter.Lifted, "", "hale", "matter-own"},
		"who asked":         {m, matter.Lifted, "", "ann", "matter-own"},
		"no ground":         {m, matter.Upheld, "", "osei", "matter-ground"},
		"no such ground":    {m, matter.Upheld, "171.999", "osei", "matter-ground"},
		"nothing":           {m, "", "171.201", "osei", "matter-outcome"},
		"of the other kind": {d, matter.Upheld, "171.201", "osei", "matter-outcome"},
		"upheld":            {m, matter.Upheld, "171.201", "osei", ""},
		"lifted":            {m, matter.Lifted, "", "osei", ""},
		"a dispute":         {d, matter.Referred, "", "osei", ""},
	} {
		got, err := c.m.Decide(c.o, c.ground, c.by, now)
		if c.want != "" {
			if err == nil || errs.As(err).Code != c.want || !got.Open {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || got.Open || got.DecidedBy != "osei" {
			t.Errorf("%s: %+v %v", name, got, err)
		}
		if _, err := got.Decide(c.o, c.ground, "third", now); err == nil {
			t.Errorf("%s: decided twice", name)
		}
	}
	if m.Overdue(now) || !m.Overdue(now.AddDate(0, 0, 15)) {
		t.Error("the clock")
	}
}
