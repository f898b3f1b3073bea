package clientauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/shelf"
)

// The limits of fetching a key set (SMART ASY-13, ASY-14).
const (
	fetchTimeout = 5 * time.Second
	maxSetBytes  = 64 << 10
	// defaultFresh is used when the answer says nothing about caching,
	// mostFresh bounds what it says.
	defaultFresh = 5 * time.Minute
	mostFresh    = 24 * time.Hour
	// missPause is how long an unknown kid causes no further fetch, failPause
	// how long a failed fetch is not tried again.
	missPause = 10 * time.Second
	failPause = 10 * time.Second
	// maxSets and maxSetsBytes bound what is kept of key sets; read, one takes
	// about setGrowth times the bytes that were fetched.
	maxSets      = 8192
	maxSetsBytes = 64 << 20
	setGrowth    = 4
)

// FetcherConfig says how a Fetcher reaches clients' key sets.
type FetcherConfig struct {
	Clock clock.Clock
	// Dev allows private and loopback addresses, and plain HTTP to loopback.
	Dev bool
	// Roots are trusted certificate authorities; nil means the system's.
	Roots *x509.CertPool
}

// Fetcher fetches and caches key sets that clients registered by URL: within
// the answer's Cache-Control and never beyond, one fetch at a time per URL,
// without redirects, to public addresses only. What it keeps is bounded. It is
// safe for concurrent use.
type Fetcher struct {
	cfg    FetcherConfig
	client *http.Client

	mu   sync.Mutex
	sets *shelf.Shelf[string, *cachedSet]
}

// cachedSet is the last known key set of one URL. flight is closed when the
// fetch under way has ended.
type cachedSet struct {
	keys    []jose.JSONWebKey
	fetched time.Time
	fresh   time.Time
	missed  time.Time
	failed  time.Time
	flight  chan struct{}
}

// NewFetcher gives a fetcher with an empty cache.
func NewFetcher(cfg FetcherConfig) *Fetcher {
	return &Fetcher{cfg: cfg, sets: shelf.New[string, *cachedSet](maxSets, maxSetsBytes), client: NewPublicClient(cfg.Dev, cfg.Roots)}
}

// NewPublicClient gives an HTTP client for addresses that others chose: it
// connects to public ones only, whatever their names resolve to, and follows no
// redirect. In development it connects to this machine too.
func NewPublicClient(dev bool, roots *x509.CertPool) *http.Client {
	dialer := &net.Dialer{Timeout: fetchTimeout}
	if !dev {
		dialer.Control = refusePrivate
	}
	return &http.Client{
		Timeout: fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout:    fetchTimeout,
			ResponseHeaderTimeout:  fetchTimeout,
			MaxResponseHeaderBytes: 16 << 10,
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        30 * time.Second,
			ForceAttemptHTTP2:      true,
		},
	}
}

// Set gives the key set of the URL, fetched anew when the cached one is no
// longer fresh or does not know the kid. Errors: errs.InvalidClient with code
// jwks-unavailable.
func (f *Fetcher) Set(ctx context.Context, location, kid string) ([]jose.JSONWebKey, error) {
	return f.with(ctx, location, func(k jose.JSONWebKey) bool { return k.KeyID == kid })
}

// with is Set for a key that is told otherwise than by its kid.
func (f *Fetcher) with(ctx context.Context, location string, wanted func(jose.JSONWebKey) bool) ([]jose.JSONWebKey, error) {
	f.mu.Lock()
	e := f.sets.Entry(location, func() *cachedSet { return &cachedSet{} })
	now := f.cfg.Clock.Now()
	known := slices.ContainsFunc(e.keys, wanted)
	fresh := now.Before(e.fresh) && !now.Before(e.fetched)
	if fresh && known || !known && pausing(now, e.missed, missPause) {
		defer f.mu.Unlock()
		return e.keys, nil
	}
	if pausing(now, e.failed, failPause) {
		f.mu.Unlock()
		return nil, errUnavailable(nil)
	}
	if e.flight == nil {
		e.flight = make(chan struct{})
		go f.fly(context.WithoutCancel(ctx), location, wanted, e)
	}
	flight := e.flight
	f.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
		return nil, errUnavailable(ctx.Err())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if pausing(f.cfg.Clock.Now(), e.failed, failPause) {
		return nil, errUnavailable(nil)
	}
	return e.keys, nil
}

// pausing reports whether a pause that was set to end at until still holds. A
// clock that was turned back does not prolong it.
func pausing(now, until time.Time, span time.Duration) bool {
	return now.Before(until) && until.Sub(now) <= span
}

// fly fetches once and notes the outcome.
func (f *Fetcher) fly(ctx context.Context, location string, wanted func(jose.JSONWebKey) bool, e *cachedSet) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	keys, size, life, err := f.fetch(ctx, location)
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.cfg.Clock.Now()
	if err != nil {
		e.failed = now.Add(failPause)
	} else {
		e.keys, e.fetched, e.fresh, e.failed = keys, now, now.Add(life), time.Time{}
		f.sets.Holds(location, int64(setGrowth*size))
		if !slices.ContainsFunc(keys, wanted) {
			e.missed = now.Add(missPause)
		}
	}
	close(e.flight)
	e.flight = nil
}

// fetch gets one key set, its size in bytes and for how long it may be kept.
func (f *Fetcher) fetch(ctx context.Context, location string) (keys []jose.JSONWebKey, size int, life time.Duration, err error) {
	if !f.allowed(location) {
		return nil, 0, 0, errUnavailable(nil)
	}
	got, err := f.get(ctx, location, "application/jwk-set+json, application/json", maxSetBytes)
	if err != nil {
		return nil, 0, 0, errUnavailable(err)
	}
	if keys = parseSet(got.body); len(keys) == 0 {
		return nil, 0, 0, errUnavailable(nil)
	}
	return keys, len(got.body), freshness(got.header), nil
}

// allowed reports whether the URL may be fetched at all: HTTPS, or HTTP to
// loopback in development.
func (f *Fetcher) allowed(location string) bool {
	u, err := url.Parse(location)
	if err != nil || u.User != nil || u.Host == "" {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	loopback := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	return f.cfg.Dev && u.Scheme == "http" && loopback
}

// freshness reads for how long an answer may be kept (RFC 9111 §4.2.1).
func freshness(h http.Header) time.Duration {
	life := defaultFresh
	for _, directive := range strings.Split(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			seconds, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 32)
			if err != nil || seconds < 0 {
				return 0
			}
			life = time.Duration(seconds) * time.Second
		}
	}
	if age, err := strconv.ParseInt(h.Get("Age"), 10, 32); err == nil && age > 0 {
		life -= time.Duration(age) * time.Second
	}
	return max(0, min(life, mostFresh))
}

func errUnavailable(cause error) error {
	return errs.Wrap(cause, errs.InvalidClient, "jwks-unavailable", "The client's key set cannot be fetched from its registered URL.")
}
