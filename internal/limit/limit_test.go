package limit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/limit"
)

// shared is the store of all nodes and the clock they share.
type shared struct {
	mu    sync.Mutex
	now   time.Time
	full  map[string]time.Time
	asked int
	down  bool
}

func world() *shared {
	return &shared{now: time.Unix(1700000000, 0), full: map[string]time.Time{}}
}

func (s *shared) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *shared) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *shared) TakePermits(_ context.Context, tenant, key string, n int, r limit.Rule) (bool, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.down {
		return false, 0, errs.New(errs.Unavailable, "store-timeout", "")
	}
	full := s.full[tenant+key]
	if full.Before(s.now) {
		full = s.now
	}
	full = full.Add(time.Duration(n) * r.Every)
	if over := full.Sub(s.now) - time.Duration(r.Burst)*r.Every; over > 0 {
		return false, over, nil
	}
	s.full[tenant+key] = full
	return true, 0, nil
}

// rush sends n requests per node in equal parts of the time and gives how many
// passed.
func (s *shared) rush(t *testing.T, nodes []*limit.Limiter, n int, during time.Duration, r limit.Rule) int {
	t.Helper()
	passed := 0
	for range n {
		for _, l := range nodes {
			err := l.Take(t.Context(), "main", "app", r)
			if err == nil {
				passed++
				continue
			}
			var over *limit.Exceeded
			if !errs.Is(err, errs.RateLimited) || !errors.As(err, &over) || over.Wait() <= 0 {
				t.Fatal(err)
			}
		}
		s.pass(during / time.Duration(n))
	}
	return passed
}

// The bound that doc.go states, and what it costs.
func TestNodesShareOneRule(t *testing.T) {
	const seconds = 10
	r := limit.PerSecond(1000)
	for count := 1; count <= 3; count++ {
		s := world()
		var nodes []*limit.Limiter
		for range count {
			nodes = append(nodes, limit.New(s, s))
		}
		passed := s.rush(t, nodes, 3000*seconds, seconds*time.Second, r)
		rule := r.Burst + 1000*seconds
		if passed > rule+count*rule/10 || passed < rule-count*250 {
			t.Errorf("%d nodes let %d through; the rule is %d", count, passed, rule)
		}
		if s.asked > count*seconds*100 {
			t.Errorf("%d nodes asked the store %d times in %d seconds", count, s.asked, seconds)
		}
	}
}

// What stays below a tenth of the rule never asks the store; a restart gives
// no more than that tenth anew, beside what nobody had taken.
func TestFreePartAndRestart(t *testing.T) {
	r, s := limit.PerSecond(100), world()
	l := limit.New(s, s)
	if passed := s.rush(t, []*limit.Limiter{l}, 90, 10*time.Second, r); passed != 90 || s.asked != 0 {
		t.Fatalf("%d of 90 passed, the store was asked %d times", passed, s.asked)
	}
	s.pass(time.Hour)
	s.rush(t, []*limit.Limiter{l}, 1000, time.Second, r)
	if passed := s.rush(t, []*limit.Limiter{limit.New(s, s)}, 1000, time.Millisecond, r); passed > r.Burst/10+100/4+2 {
		t.Errorf("after a restart %d pass at once", passed)
	}
}

// Without the store each node applies the rule by itself, and leaves the store
// alone for a while.
func TestStoreDown(t *testing.T) {
	r, s := limit.PerSecond(100), world()
	s.down = true
	passed := s.rush(t, []*limit.Limiter{limit.New(s, s)}, 10000, 10*time.Second, r)
	if rule := r.Burst + 1000; passed < rule || passed > rule+rule/10+1 {
		t.Errorf("%d passed, the rule is %d", passed, rule)
	}
	if s.asked > 11 {
		t.Errorf("the store was asked %d times in 10 seconds", s.asked)
	}
}

func TestStrictRule(t *testing.T) {
	r, s := limit.PerSecond(1), world()
	l := limit.New(s, s)
	if passed := s.rush(t, []*limit.Limiter{l}, 10, time.Second, r); passed != 2 && passed != 3 {
		t.Errorf("%d passed", passed)
	}
	for _, none := range []limit.Rule{limit.PerSecond(0), {}} {
		if err := l.Take(t.Context(), "main", "app", none); err != nil {
			t.Error(err)
		}
	}
}

// Many strangers do not fill the memory, and cannot lift the rule of others
// for longer than the own part of a node.
func TestManyBuckets(t *testing.T) {
	r, s := limit.PerSecond(10), world()
	l := limit.New(s, s)
	for i := range 50000 {
		if err := l.Take(t.Context(), "main", fmt.Sprint(i), r); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				_ = l.Take(context.Background(), "main", "busy", r)
			}
		})
	}
	all.Wait()
	if err := l.Take(t.Context(), "main", "busy", r); !errs.Is(err, errs.RateLimited) {
		t.Errorf("800 requests at once leave %v", err)
	}
}

func TestConfig(t *testing.T) {
	good, bad := limit.Config{Client: 1}, limit.Config{Client: -1, Network: 2000000}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	if err := bad.Validate(); err == nil {
		t.Error("accepted")
	}
}
