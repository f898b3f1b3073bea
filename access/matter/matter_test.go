package matter_test

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/access/matter"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/law"
)

// shipped is the law of the United States as it comes with the program.
func shipped(t *testing.T) *law.Law {
	t.Helper()
	book, err := law.Load(law.Shipped()...)
	if err != nil {
		t.Fatal(err)
	}
	l, _ := book.Of("US", time.UTC)
	return l
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
	now, l := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), shipped(t)
	m := matter.Begin(matter.Review, "t", "m1", "rosa", "ann", now, 10, time.UTC, "c1")
	m.DeniedBy = "hale"
	d := matter.Begin(matter.Dispute, "t", "m2", "rosa", "hale", now, 10, time.UTC, "c1", "c2")
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
		got, err := c.m.Decide(c.o, c.ground, c.by, now, l)
		if c.want != "" {
			if err == nil || errs.As(err).Code != c.want || !got.Open {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || got.Open || got.DecidedBy != "osei" {
			t.Errorf("%s: %+v %v", name, got, err)
		}
		if _, err := got.Decide(c.o, c.ground, "third", now, l); err == nil {
			t.Errorf("%s: decided twice", name)
		}
	}
	if m.Overdue(now) || !m.Overdue(now.AddDate(0, 0, 15)) {
		t.Error("the clock")
	}
}
