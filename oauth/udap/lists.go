package udap

import (
	"context"
	"crypto/x509"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/shelf"
)

// Fetch gets a document from an address that a certificate names, of at most
// most bytes. It guards against addresses inside the network.
type Fetch func(ctx context.Context, location string, most int64) ([]byte, error)

// maxLists and maxListsBytes bound which lists are kept, of which one takes about
// entryBytes for each certificate on it; retryList says how long a list that could
// not be had is not asked for again.
const (
	maxLists      = 256
	maxListsBytes = 128 << 20
	entryBytes    = 120
	retryList     = 10 * time.Second
)

// ListsConfig says how revocation lists are kept.
type ListsConfig struct {
	Fetch Fetch
	Clock clock.Clock
	// Refresh is after how long a list is fetched again: a revocation counts at
	// the latest that much after the list with it was published.
	Refresh time.Duration
	// Grace is for how long after it was fetched a list counts while a newer one
	// cannot be had; then nothing is known any more.
	Grace time.Duration
}

// Lists fetches and keeps revocation lists. It is safe for concurrent use.
type Lists struct {
	cfg ListsConfig

	mu   sync.Mutex
	kept *shelf.Shelf[listKey, *keptList]
}

// listKey names a list: who signed it, and whether it was judged to speak about
// authorities, matter as much as where it lies.
type listKey struct {
	location, issuer string
	authorities      bool
}

// keptList is the last good list. flight is closed when the fetch under way has
// ended.
type keptList struct {
	list    *List
	fetched time.Time
	failed  time.Time
	flight  chan struct{}
}

// NewLists gives an empty cache.
func NewLists(cfg ListsConfig) *Lists {
	return &Lists{cfg: cfg, kept: shelf.New[listKey, *keptList](maxLists, maxListsBytes)}
}

// status asks the lists that a certificate names, one after the other until one
// answers.
func (l *Lists) status(ctx context.Context, cert, issuer *x509.Certificate, policy CRLPolicy) Status {
	if len(cert.CRLDistributionPoints) == 0 && policy == CRLNamed {
		return StatusGood
	}
	for _, location := range Locations(cert) {
		if list := l.list(ctx, location, cert, issuer); list != nil {
			if list.Revoked[cert.SerialNumber.String()] {
				return StatusRevoked
			}
			return StatusGood
		}
	}
	return StatusUnknown
}

// list gives the list at a location that counts now, nil when none does.
func (l *Lists) list(ctx context.Context, location string, cert, issuer *x509.Certificate) *List {
	l.mu.Lock()
	key := listKey{location, Thumbprint(issuer), cert.IsCA}
	k := l.kept.Entry(key, func() *keptList { return &keptList{} })
	now := l.cfg.Clock.Now()
	if within(now, k.fetched, l.cfg.Refresh) || within(now, k.failed, min(retryList, l.cfg.Refresh)) {
		defer l.mu.Unlock()
		return l.counts(k, now)
	}
	if k.flight == nil {
		k.flight = make(chan struct{})
		go l.fly(context.WithoutCancel(ctx), key, k, cert, issuer)
	}
	flight := k.flight
	l.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts(k, l.cfg.Clock.Now())
}

// counts gives the kept list while it counts.
func (l *Lists) counts(k *keptList, now time.Time) *List {
	if k.list == nil || !within(now, k.fetched, max(l.cfg.Grace, l.cfg.Refresh)) {
		return nil
	}
	return k.list
}

// fly fetches once and notes the outcome. A list older than the kept one is none:
// somebody may replay what was published before a revocation.
func (l *Lists) fly(ctx context.Context, at listKey, k *keptList, cert, issuer *x509.Certificate) {
	var list *List
	raw, err := l.cfg.Fetch(ctx, at.location, maxCRL)
	now := l.cfg.Clock.Now()
	if err == nil {
		list, err = ReadList(raw, at.location, cert, issuer, now)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		k.failed = now
	case k.list != nil && list.Made.Before(k.list.Made):
		k.failed = now
	default:
		k.list, k.fetched, k.failed = list, now, time.Time{}
		l.kept.Holds(at, int64(entryBytes*(1+len(list.Revoked))))
	}
	close(k.flight)
	k.flight = nil
}

// within reports whether a span that began at begun still runs. A clock that was
// turned back does not prolong it.
func within(now, begun time.Time, span time.Duration) bool {
	return !begun.IsZero() && !now.Before(begun) && now.Sub(begun) < span
}
