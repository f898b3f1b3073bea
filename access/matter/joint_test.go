package matter_test

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/access/matter"
	"github.com/mandate-health/mandate/internal/errs"
)

// FX-30: two different people must agree before staff may decide, and what was
// declined, done or not answered stays so.
func TestTwoMustAgree(t *testing.T) {
	now, l := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), shipped(t)
	yes := func(who string) matter.Approval { return matter.Approval{Case: "c-" + who, By: who, At: now} }
	code := func(err error) string {
		if err == nil {
			return ""
		}
		return errs.As(err).Code
	}
	m := matter.Begin(matter.Joint, "t", "m1", "rosa", "ann", now, 10, time.UTC, "c-ann").Ask("schedule", yes("ann"))
	if _, err := m.Decide(matter.Done, "", "osei", now, l); m.Ready() || code(err) != "matter-waits" {
		t.Errorf("staff decide on one yes: %v", err)
	}
	if _, err := m.Approve(yes("ann"), now); code(err) != "matter-own" {
		t.Errorf("one agrees twice: %v", err)
	}
	if _, err := m.Decline("ann", now); code(err) != "matter-own" {
		t.Errorf("one declines the own: %v", err)
	}
	both, err := m.Approve(yes("bea"), now.AddDate(0, 0, 3))
	if err != nil || !both.Ready() || len(both.Cases) != 2 || !both.Due.Equal(now.AddDate(0, 0, 3)) || len(m.Approved) != 1 {
		t.Fatalf("%+v %v", both, err)
	}
	if _, err := both.Approve(yes("cleo"), now); code(err) != "matter-decided" {
		t.Errorf("a third agrees: %v", err)
	}
	done, err := both.Decide(matter.Done, "", "osei", now, l)
	if err != nil || done.Open {
		t.Errorf("%+v %v", done, err)
	}
	if _, err := both.Decide(matter.Lifted, "", "osei", now, l); code(err) != "matter-outcome" {
		t.Errorf("another kind's outcome: %v", err)
	}
	no, err := m.Decline("bea", now)
	if err != nil || no.Open || no.Outcome != matter.Declined {
		t.Errorf("%+v %v", no, err)
	}
	for name, over := range map[string]matter.Matter{"declined": no, "lapsed": m.Lapse(now), "done": done} {
		if _, err := over.Approve(yes("cleo"), now); code(err) != "matter-decided" || over.Open {
			t.Errorf("%s goes on: %v", name, err)
		}
	}
}
