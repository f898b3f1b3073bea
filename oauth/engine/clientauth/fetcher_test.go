package clientauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

func keySet(t *testing.T, kids ...string) []byte {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set := jose.JSONWebKeySet{}
	for _, kid := range kids {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public(), KeyID: kid})
	}
	raw, _ := json.Marshal(set)
	return raw
}

// SMART ASY-13
func TestFreshness(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"": defaultFresh, "max-age=60": time.Minute, "public, Max-Age=60": time.Minute, "max-age=\"60\"": time.Minute,
		"no-store": 0, "no-cache, max-age=60": 0, "max-age=0": 0, "max-age=-1": 0, "max-age=x": 0, "max-age=99999999": mostFresh, "private": defaultFresh,
	} {
		if got := freshness(http.Header{"Cache-Control": {in}}); got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
	if got := freshness(http.Header{"Cache-Control": {"max-age=60"}, "Age": {"50"}}); got != 10*time.Second {
		t.Errorf("with an age: %v", got)
	}
}

// SMART ASY-14: outside development nothing but public addresses over HTTPS.
func TestAddresses(t *testing.T) {
	for address, public := range map[string]bool{
		"93.184.216.34:443": true, "[2606:2800:220:1::1]:443": true,
		"127.0.0.1:443": false, "10.0.0.1:443": false, "172.16.0.1:443": false, "192.168.1.1:443": false, "169.254.169.254:80": false,
		"0.0.0.0:443": false, "100.64.0.1:443": false, "224.0.0.1:443": false, "255.255.255.255:443": false, "240.0.0.1:443": false,
		"[::1]:443": false, "[fe80::1]:443": false, "[fd00::1]:443": false, "[::ffff:10.0.0.1]:443": false, "[::ffff:169.254.169.254]:443": false,
		"[64:ff9b::a9fe:a9fe]:443": false, "[2002:7f00:1::]:443": false, "garbage": false,
		"[64:ff9b:1::a9fe:a9fe]:443": false, "[::10.0.0.1]:443": false, "[::93.184.216.34]:443": false, "[::ffff:0:10.0.0.1]:443": false,
		"[fec0::1]:443": false, "[2001:0:7f00:1::1]:443": false, "[2001:db8::1]:443": false, "[3fff::1]:443": false, "[3ffe::1]:443": false,
		"[100::1]:443": false, "[100:0:0:1::1]:443": false, "[5f00::1]:443": false, "[4000::1]:443": false, "[ff02::1]:443": false, "[::]:443": false,
		"[fe80::1%eth0]:443": false, "192.88.99.1:443": false, "192.0.0.1:443": false, "198.19.0.1:443": false, "[2620:4f:8000::1]:443": true,
	} {
		if err := refusePrivate("tcp", address, nil); (err == nil) != public {
			t.Errorf("%s: %v", address, err)
		}
	}
	dev, live := NewFetcher(FetcherConfig{Dev: true}), NewFetcher(FetcherConfig{})
	for location, want := range map[string][2]bool{
		"https://app.example/jwks": {true, true}, "http://app.example/jwks": {false, false}, "http://localhost:1/jwks": {true, false},
		"http://127.0.0.1/jwks": {true, false}, "http://[::1]:3/": {true, false}, "http://localhost.evil.example/": {false, false},
		"https://user:x@app.example/": {false, false}, "file:///etc/passwd": {false, false}, "https://": {false, false}, "": {false, false},
	} {
		if dev.allowed(location) != want[0] || live.allowed(location) != want[1] {
			t.Errorf("%s: %v %v", location, dev.allowed(location), live.allowed(location))
		}
	}
}

// A live server on loopback is not reached outside development.
func TestPrivateServerIsNotReached(t *testing.T) {
	var hits atomic.Int32
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	f := NewFetcher(FetcherConfig{Clock: clock.System{}, Roots: roots})
	if _, err := f.Set(context.Background(), s.URL, "a"); !errs.Is(err, errs.InvalidClient) || hits.Load() != 0 {
		t.Errorf("%v, %d hits", err, hits.Load())
	}
}

// SMART ASY-12, ASY-14: HTTPS works; redirects, errors, floods and empty sets
// do not, and a failure is not tried again at once.
func TestFetch(t *testing.T) {
	var hits atomic.Int32
	set := keySet(t, "a")
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		switch r.URL.Path {
		case "/good":
			_, _ = w.Write(set)
		case "/redirect":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/large":
			_, _ = w.Write([]byte(`{"keys":[],"x":"` + strings.Repeat("x", maxSetBytes) + `"}`))
		case "/empty":
			_, _ = w.Write([]byte(`{"keys":[]}`))
		case "/text":
			_, _ = w.Write([]byte(`hello`))
		default:
			http.NotFound(w, r)
		}
	}))
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c := &clock.Movable{}
	f := NewFetcher(FetcherConfig{Clock: c, Dev: true, Roots: roots})
	if got, err := f.Set(context.Background(), s.URL+"/good", "a"); err != nil || len(got) != 1 {
		t.Fatalf("%v %v", got, err)
	}
	for _, path := range []string{"/redirect", "/large", "/empty", "/text", "/missing"} {
		hits.Store(0)
		for range 3 {
			if _, err := f.Set(context.Background(), s.URL+path, "a"); !errs.Is(err, errs.InvalidClient) {
				t.Errorf("%s: %v", path, err)
			}
		}
		c.Advance(failPause + time.Second)
		_, _ = f.Set(context.Background(), s.URL+path, "a")
		if hits.Load() != 2 {
			t.Errorf("%s: %d fetches", path, hits.Load())
		}
	}
}

// Many requests at once cause one fetch, and a rotated key is picked up.
func TestSingleFlightAndRotation(t *testing.T) {
	var hits atomic.Int32
	var set atomic.Value
	set.Store(keySet(t, "a"))
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		<-release
		_, _ = w.Write(set.Load().([]byte))
	}))
	defer s.Close()
	c := &clock.Movable{}
	f := NewFetcher(FetcherConfig{Clock: c, Dev: true})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got, err := f.Set(context.Background(), s.URL, "a"); err != nil || len(got) != 1 {
				t.Errorf("%v %v", got, err)
			}
		})
	}
	close(release)
	wg.Wait()
	if hits.Load() != 1 {
		t.Errorf("%d fetches", hits.Load())
	}
	set.Store(keySet(t, "a", "b"))
	if got, err := f.Set(context.Background(), s.URL, "b"); err != nil || len(got) != 2 || hits.Load() != 2 {
		t.Errorf("rotation: %v %v, %d fetches", got, err, hits.Load())
	}
	if _, err := f.Set(context.Background(), s.URL, "c"); err != nil || hits.Load() != 3 {
		t.Errorf("unknown kid: %v, %d fetches", err, hits.Load())
	}
	// A clock that is turned back does not prolong the pause.
	c.Advance(-time.Hour)
	if _, err := f.Set(context.Background(), s.URL, "d"); err != nil || hits.Load() != 4 {
		t.Errorf("clock back: %v, %d fetches", err, hits.Load())
	}
}

// SMART REG-06, ASY-06, D11: which keys of a set are taken.
func TestParseSetAndPick(t *testing.T) {
	ec, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	weak, _ := rsa.GenerateKey(rand.Reader, 1024)
	strong, _ := rsa.GenerateKey(rand.Reader, 2048)
	one := func(k jose.JSONWebKey) json.RawMessage {
		raw, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	raw, _ := json.Marshal(map[string]any{"keys": []any{
		one(jose.JSONWebKey{Key: ec.Public(), KeyID: "k"}),
		one(jose.JSONWebKey{Key: strong.Public(), KeyID: "k", Use: "sig"}),
		one(jose.JSONWebKey{Key: ec, KeyID: "private"}),
		one(jose.JSONWebKey{Key: p256.Public(), KeyID: "p256"}),
		one(jose.JSONWebKey{Key: weak.Public(), KeyID: "weak"}),
		one(jose.JSONWebKey{Key: ec.Public(), KeyID: "enc", Use: "enc"}),
		one(jose.JSONWebKey{Key: ec.Public(), KeyID: "twice"}),
		one(jose.JSONWebKey{Key: ec.Public(), KeyID: "twice"}),
		map[string]any{"kty": "oct", "kid": "hs", "k": "AAAA"},
		map[string]any{"kty": "new", "kid": "new"},
		"text",
	}})
	set := parseSet(raw)
	if len(set) != 7 {
		t.Errorf("%d keys were read", len(set))
	}
	for _, c := range []struct {
		kid, alg, code string
	}{
		{"k", "ES384", ""}, {"k", "RS384", ""}, {"private", "ES384", "assertion-key-unknown"}, {"p256", "ES384", "assertion-key-unknown"},
		{"weak", "RS384", "assertion-key-unknown"}, {"enc", "ES384", "assertion-key-unknown"}, {"twice", "ES384", "assertion-key-ambiguous"},
		{"hs", "HS256", "assertion-key-unknown"}, {"k", "HS256", "assertion-key-unknown"}, {"", "ES384", "assertion-key-unknown"},
	} {
		_, err := pick(set, jose.Header{KeyID: c.kid, Algorithm: c.alg})
		if (c.code == "") != (err == nil) || err != nil && errs.As(err).Code != c.code {
			t.Errorf("%s %s: %v", c.kid, c.alg, err)
		}
	}
	for _, bad := range []string{"", "[]", `{"keys":1}`, `{"keys":null}`} {
		if parseSet([]byte(bad)) != nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// SMART ASY-14: thousands of addresses without keys make nobody forget the keys of
// a client that is there, and what is kept stays within its bounds.
func TestNothingPushesOutKeysInUse(t *testing.T) {
	var hits atomic.Int32
	set := keySet(t, "a")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		w.Header().Set("Cache-Control", "max-age=3600")
		_, _ = w.Write(set)
	}))
	defer s.Close()
	f := NewFetcher(FetcherConfig{Clock: &clock.Movable{}, Dev: true})
	use := func() {
		t.Helper()
		if got, err := f.Set(t.Context(), s.URL, "a"); err != nil || len(got) != 1 {
			t.Fatalf("%v %v", got, err)
		}
	}
	use()
	for i := range 3 * maxSets {
		if _, err := f.Set(t.Context(), "http://app.example/"+strconv.Itoa(i), "a"); !errs.Is(err, errs.InvalidClient) {
			t.Fatal(err)
		}
	}
	if use(); hits.Load() != 1 {
		t.Errorf("%d fetches of keys that may be kept for an hour", hits.Load())
	}
	if n, size := f.sets.Len(), f.sets.Bytes(); n > maxSets || size > maxSetsBytes || size < int64(len(set)) {
		t.Errorf("%d sets with %d bytes are kept", n, size)
	}
}
