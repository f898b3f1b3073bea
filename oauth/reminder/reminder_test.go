package reminder_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/oauth/reminder"
)

const quarter = 90 * 24 * time.Hour

// shelf has people in order, each with the time of a grant that is kept.
type shelf struct {
	people  []string
	since   map[string]time.Time
	notices map[string]outbox.Notice
	fails   error
}

func (s *shelf) Keepers(_ context.Context, _, after string, before, _ time.Time, limit int) (out []string, err error) {
	for _, p := range s.people {
		if p > after && s.since[p].Before(before) && len(out) < limit {
			out = append(out, p)
		}
	}
	return out, s.fails
}

func (s *shelf) NoticeByID(_ context.Context, _, id string) (outbox.Notice, error) {
	if n, ok := s.notices[id]; ok {
		return n, nil
	}
	return outbox.Notice{}, errs.New(errs.NotFound, "notice-not-found", "")
}

func (s *shelf) AddNotice(_ context.Context, n outbox.Notice) error {
	s.notices[n.ID] = n
	return nil
}

// SMART BP-01: whoever lets apps keep access is told once in each period, and not
// right after having allowed it.
func TestRemind(t *testing.T) {
	now := &clock.Movable{}
	now.Set(time.Unix(0, 0).Add(100*quarter + time.Hour))
	s := &shelf{since: map[string]time.Time{}, notices: map[string]outbox.Notice{}}
	for i := range 1200 {
		p := fmt.Sprintf("p-%04d", i)
		s.people = append(s.people, p)
		s.since[p] = now.Now().Add(-2 * quarter)
	}
	s.since["p-0007"] = now.Now().Add(-time.Hour)
	r := &reminder.Service{Store: s, Clock: now, Every: quarter, Hasher: func(context.Context, string) (ids.Hasher, error) {
		return ids.Hasher{Key: []byte("k")}, nil
	}}
	run := func(what string, want int) {
		t.Helper()
		if err := r.Remind(t.Context(), "main"); err != nil || len(s.notices) != want {
			t.Errorf("%s: %v, %d notices, not %d", what, err, len(s.notices), want)
		}
	}
	run("at first", 1199)
	run("again at once", 1199)
	now.Advance(quarter - 2*time.Hour)
	run("later in the same period", 1199)
	now.Advance(2 * time.Hour)
	run("in the next period", 1199+1200)
	for _, n := range s.notices {
		if n.Template != reminder.Template || n.PersonID == "" || n.Tenant != "main" || len(n.Args) != 0 {
			t.Fatalf("%+v", n)
		}
	}
	now.Advance(quarter)
	s.fails = errs.New(errs.Unavailable, "store-down", "")
	if err := r.Remind(t.Context(), "main"); !errs.Is(err, errs.Unavailable) {
		t.Error(err)
	}
	s.fails, r.Every = nil, 0
	run("switched off", 1199+1200)
}
