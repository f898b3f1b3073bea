package limit

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

// Rule is a token bucket: one permit comes back every Every, at most Burst lie
// ready.
type Rule struct {
	Every time.Duration
	Burst int
}

// PerSecond gives the rule of a rate, with two seconds' worth as burst; the
// zero Rule, which limits nothing, for none.
func PerSecond(rate int) Rule {
	if rate <= 0 {
		return Rule{}
	}
	return Rule{Every: time.Second / time.Duration(rate), Burst: 2 * rate}
}

// PerHour gives the rule of a rate per hour, all of which may come at once; the
// zero Rule, which limits nothing, for none.
func PerHour(rate int) Rule {
	if rate <= 0 {
		return Rule{}
	}
	return Rule{Every: time.Hour / time.Duration(rate), Burst: rate}
}

// depth is how long an empty bucket takes to fill.
func (r Rule) depth() time.Duration { return r.Every * time.Duration(r.Burst) }

// Store is the port of the package.
type Store interface {
	// TakePermits takes n permits of a bucket at once if they are there, by
	// the database's clock; otherwise none, and wait is how long they take to
	// come. An unknown bucket is full.
	TakePermits(ctx context.Context, tenant, key string, n int, r Rule) (ok bool, wait time.Duration, err error)
}

const (
	// freeShare is which part of a rule each node lets through by itself.
	freeShare = 10
	// shares is into how many parts a second's worth is cut at least.
	shares = 4
	// leaseLife is how long a share may be used: a node that falls silent does
	// not come back with a heap of old permits.
	leaseLife = time.Second
	// apart is how long a store that failed is left alone.
	apart = time.Second
	// patience bounds one question to the store.
	patience = time.Second
	// maxBuckets bounds the memory of a node.
	maxBuckets = 20000
)

// Limiter applies rules. It is safe for concurrent use.
type Limiter struct {
	store Store
	clock clock.Clock

	mu      sync.Mutex
	buckets map[id]*bucket
	// alone is until when the store is left alone.
	alone time.Time
}

type id struct{ tenant, key string }

// bucket is what a node knows of one bucket.
type bucket struct {
	// mu is held while the store is asked: who waits for it needs the answer.
	mu sync.Mutex
	// free and own are when the node's own part, and the whole rule applied
	// by this node alone, are full again.
	free, own time.Time
	// leased permits may be used until leaseEnds; share is how many are taken
	// next and taken when the last were.
	leased    int
	share     int
	leaseEnds time.Time
	taken     time.Time
	// shut is until when the store, which had none, is not asked again.
	shut time.Time
}

// New gives a limiter. The clock must run steadily.
func New(s Store, c clock.Clock) *Limiter {
	return &Limiter{store: s, clock: c, buckets: map[id]*bucket{}}
}

// Exceeded is the cause of an errs.RateLimited error of this package.
type Exceeded struct {
	// Class names the limit that was met.
	Class string
	Rule  Rule
	After time.Duration
}

// Error says how long to wait.
func (e *Exceeded) Error() string { return "limit: wait " + e.After.String() }

// Wait gives the time after which a permit is likely.
func (e *Exceeded) Wait() time.Duration { return e.After }

// Fields gives the limit that was met and what is left of it, as the header
// fields RateLimit-Policy and RateLimit tell them
// (draft-ietf-httpapi-ratelimit-headers).
func (e *Exceeded) Fields() (policy, state string) {
	return fmt.Sprintf("%q;q=%d;w=%d", e.Class, e.Rule.Burst, seconds(e.Rule.depth())),
		fmt.Sprintf("%q;r=0;t=%d", e.Class, seconds(e.After))
}

// seconds rounds up to whole seconds, at least one.
func seconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

// Take takes one permit of the bucket CLASS:WHOSE. Errors: errs.RateLimited with code too-many-requests
// and an *Exceeded as cause.
func (l *Limiter) Take(ctx context.Context, tenant, key string, r Rule) error {
	if r.Every <= 0 {
		return nil
	}
	b := l.bucket(id{tenant, key})
	b.mu.Lock()
	defer b.mu.Unlock()
	now := l.clock.Now()
	if b.passes(now, r) {
		return nil
	}
	wait := b.shut.Sub(now)
	if wait <= 0 {
		wait = l.lease(ctx, b, id{tenant, key}, r, now)
	}
	if wait <= 0 {
		return nil
	}
	class, _, _ := strings.Cut(key, ":")
	return errs.Wrap(&Exceeded{Class: class, Rule: r, After: wait}, errs.RateLimited, "too-many-requests", "There were too many requests. Wait a while, then try again.")
}

// passes uses what the node has: its own part, then a share of the store's.
func (b *bucket) passes(now time.Time, r Rule) bool {
	own := Rule{Every: r.Every * freeShare, Burst: r.Burst / freeShare}
	if own.take(&b.free, now) {
		return true
	}
	if b.leased > 0 && now.Before(b.leaseEnds) {
		b.leased--
		return true
	}
	return false
}

// take takes one permit of a bucket that is full again at *full.
func (r Rule) take(full *time.Time, now time.Time) bool {
	next := *full
	if next.Before(now) {
		next = now
	}
	if next = next.Add(r.Every); next.Sub(now) > r.depth() {
		return false
	}
	*full = next
	return true
}

// lease takes a share from the store and uses one permit of it; otherwise it
// gives how long to wait, at least as long as the store is not asked again. A
// share that was used up quickly is followed by one twice as large.
func (l *Limiter) lease(ctx context.Context, b *bucket, at id, r Rule, now time.Time) time.Duration {
	most := max(1, int(time.Second/r.Every)/shares)
	switch {
	case !b.shut.IsZero() && now.Sub(b.shut) < leaseLife:
		b.share = most
	case b.share == 0 || now.Sub(b.taken) > time.Second/shares:
		b.share = 1
	default:
		b.share = min(2*b.share, most)
	}
	for l.reachable(now) {
		asked, cancel := context.WithTimeout(ctx, patience)
		ok, wait, err := l.store.TakePermits(asked, at.tenant, at.key, b.share, r)
		cancel()
		switch {
		case err != nil:
			l.leave(now)
		case ok:
			b.leased, b.leaseEnds, b.taken, b.shut = b.share-1, now.Add(leaseLife), now, time.Time{}
			return 0
		case b.share == 1:
			b.shut = now.Add(min(max(wait, leaseLife/shares), leaseLife))
			return b.shut.Sub(now)
		default:
			b.share = max(1, b.share/4)
		}
	}
	if r.take(&b.own, now) {
		return 0
	}
	return r.Every
}

func (l *Limiter) reachable(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !now.Before(l.alone)
}

func (l *Limiter) leave(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alone = now.Add(apart)
}

// bucket gives what is known of one. When there are too many, those at rest
// are forgotten, and if that does not help, all: a node then lets its own part
// through once more.
func (l *Limiter) bucket(at id) *bucket {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.buckets[at]; b != nil {
		return b
	}
	if len(l.buckets) >= maxBuckets {
		now := l.clock.Now()
		for other, b := range l.buckets {
			if b.mu.TryLock() {
				if b.free.Before(now) && b.own.Before(now) && b.leaseEnds.Before(now) {
					delete(l.buckets, other)
				}
				b.mu.Unlock()
			}
		}
		if len(l.buckets) >= maxBuckets {
			clear(l.buckets)
		}
	}
	b := &bucket{}
	l.buckets[at] = b
	return b
}
