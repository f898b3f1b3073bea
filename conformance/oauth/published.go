package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/conformance/kit"
)

func published() []kit.Row {
	return []kit.Row{
		{ID: "SMART REG-04", Title: "keys by value and keys by address both get tokens", Needs: kit.Backend | kit.Keys, Run: keyBothWays},
		{ID: "SMART ASY-06", Title: "of several keys exactly one must remain by kid and type", Needs: kit.Keys | kit.Clock, Run: keyAmbiguous},
		{ID: "SMART ASY-12", Title: "keys are fetched by GET, and a rotation is noticed", Needs: kit.Keys | kit.Clock, Run: keyRotation},
		{ID: "SMART ASY-13", Title: "keys are kept within Cache-Control and not beyond", Needs: kit.Keys | kit.Clock, Run: keyCaching},
		{ID: "SMART ASY-14", Title: "a hundred unknown kids cause two fetches at most", Needs: kit.Keys | kit.Clock, Run: keyFlood},
	}
}

// library publishes a key set at the target's key host and counts the visits.
type library struct {
	t      *kit.Target
	client kit.Client
	own    jose.JSONWebKeySet
	server *http.Server

	mu      sync.Mutex
	set     []byte
	cache   string
	visits  int
	methods map[string]bool
}

// openLibrary publishes the client's public keys. Where the clock can be moved,
// whatever the server kept of them before is too old after it.
func openLibrary(ctx context.Context, t *kit.Target) (*library, error) {
	lib := &library{t: t, client: t.KeyClient(), cache: "no-store", methods: map[string]bool{}}
	if err := json.Unmarshal(lib.client.PrivateJWKS, &lib.own); err != nil {
		return nil, err
	}
	public, err := lib.client.PublicJWKS()
	if err != nil {
		return nil, err
	}
	lib.publish(public.Keys...)
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", t.KeyHost)
	if err != nil {
		return nil, fmt.Errorf("the keys of %s cannot be published at %s: %w", lib.client.ID, t.KeyHost, err)
	}
	lib.server = &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(lib.serve)}
	go func() { _ = lib.server.Serve(l) }() // ends with close
	if t.Has()&kit.Clock == 0 {
		return lib, nil
	}
	return lib, t.Advance(ctx, 25*time.Hour)
}

func (l *library) close() { _ = l.server.Close() }

func (l *library) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.visits++
	l.methods[r.Method] = true
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", l.cache)
	_, _ = w.Write(l.set)
}

// publish changes what the library holds.
func (l *library) publish(keys ...jose.JSONWebKey) {
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		raw = nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set = raw
}

// under sets Cache-Control.
func (l *library) under(cache string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cache = cache
}

// since gives the visits since it was asked last.
func (l *library) since() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.visits
	l.visits = 0
	return n
}

// ask asks for a token with an assertion signed by a key under a kid.
func (l *library) ask(ctx context.Context, key jose.JSONWebKey, kid string) (*kit.Response, error) {
	signed, err := l.t.NewAssertion(l.client, key.Algorithm).SignWith(key.Key, kid)
	if err != nil {
		return nil, err
	}
	return assert(ctx, l.t, signed, nil)
}

// want asks and compares the status.
func (l *library) want(ctx context.Context, c *kit.Check, what string, status int, key jose.JSONWebKey, kid string) {
	res, err := l.ask(ctx, key, kid)
	if c.Note(err) {
		c.That(res.Status == status, "%s: %s", what, res)
	}
}

// stranger gives a private key of another client, of the type asked for.
func stranger(t *kit.Target, algorithm string) (jose.JSONWebKey, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(t.Client("backend").PrivateJWKS, &set); err != nil {
		return jose.JSONWebKey{}, err
	}
	for _, k := range set.Keys {
		if k.Algorithm == algorithm {
			return k, nil
		}
	}
	return jose.JSONWebKey{}, kit.Unmet{Why: "a backend client with a key for " + algorithm}
}

// renamed is a public key under another kid.
func renamed(k jose.JSONWebKey, kid string) jose.JSONWebKey {
	out := k.Public()
	out.KeyID = kid
	return out
}

func keyBothWays(ctx context.Context, t *kit.Target) error {
	lib, err := openLibrary(ctx, t)
	if err != nil {
		return err
	}
	defer lib.close()
	var c kit.Check
	lib.want(ctx, &c, "keys by address", http.StatusOK, lib.own.Keys[0], lib.own.Keys[0].KeyID)
	c.That(lib.since() > 0, "the keys were not fetched")
	res, err := t.ClientCredentials(ctx, t.Client("backend"), systemScope)
	if c.Note(err) {
		c.That(res.Status == http.StatusOK, "keys by value: %s", res)
	}
	return c.Err()
}

func keyAmbiguous(ctx context.Context, t *kit.Target) error {
	lib, err := openLibrary(ctx, t)
	if err != nil {
		return err
	}
	defer lib.close()
	own := lib.own.Keys[0]
	same, err := stranger(t, "ES384")
	if err != nil {
		return err
	}
	other, err := stranger(t, "RS384")
	if err != nil {
		return err
	}
	var c kit.Check
	lib.publish(own.Public(), renamed(same, own.KeyID))
	lib.want(ctx, &c, "two keys of one kid and type", http.StatusUnauthorized, own, own.KeyID)
	c.Note(t.Advance(ctx, time.Minute))
	lib.publish(own.Public(), renamed(other, own.KeyID))
	lib.want(ctx, &c, "two keys of one kid and different types", http.StatusOK, own, own.KeyID)
	c.Note(t.Advance(ctx, time.Minute))
	lib.publish(renamed(other, own.KeyID))
	lib.want(ctx, &c, "only a key of the other type", http.StatusUnauthorized, own, own.KeyID)
	return c.Err()
}

func keyRotation(ctx context.Context, t *kit.Target) error {
	lib, err := openLibrary(ctx, t)
	if err != nil {
		return err
	}
	defer lib.close()
	old := lib.own.Keys[0]
	fresh, err := stranger(t, "ES384")
	if err != nil {
		return err
	}
	var c kit.Check
	lib.under("max-age=3600")
	lib.want(ctx, &c, "before", http.StatusOK, old, old.KeyID)
	lib.publish(renamed(fresh, "rotated"))
	c.Note(t.Advance(ctx, time.Minute))
	lib.want(ctx, &c, "the new key, while the old set is fresh", http.StatusOK, fresh, "rotated")
	lib.want(ctx, &c, "the key that was taken away", http.StatusUnauthorized, old, old.KeyID)
	c.That(len(lib.methods) == 1 && lib.methods[http.MethodGet], "the keys were asked for by %v", lib.methods)
	return c.Err()
}

func keyCaching(ctx context.Context, t *kit.Target) error {
	lib, err := openLibrary(ctx, t)
	if err != nil {
		return err
	}
	defer lib.close()
	own := lib.own.Keys[0]
	ask := func(c *kit.Check, what string, least, most int) {
		lib.want(ctx, c, what, http.StatusOK, own, own.KeyID)
		n := lib.since()
		c.That(n >= least && n <= most, "%s: %d fetches", what, n)
	}
	var c kit.Check
	lib.under("max-age=60")
	ask(&c, "the first time", 1, 1)
	ask(&c, "within max-age", 0, 0)
	c.Note(t.Advance(ctx, 50*time.Second))
	ask(&c, "still within max-age", 0, 0)
	c.Note(t.Advance(ctx, 20*time.Second))
	lib.under("no-store")
	ask(&c, "after max-age", 1, 1)
	ask(&c, "under no-store", 1, 1)
	ask(&c, "under no-store again", 1, 1)
	return c.Err()
}

func keyFlood(ctx context.Context, t *kit.Target) error {
	lib, err := openLibrary(ctx, t)
	if err != nil {
		return err
	}
	defer lib.close()
	own := lib.own.Keys[0]
	var c kit.Check
	lib.under("max-age=3600")
	lib.want(ctx, &c, "before", http.StatusOK, own, own.KeyID)
	lib.since()
	for range 100 {
		lib.want(ctx, &c, "an unknown kid", http.StatusUnauthorized, own, "unknown-"+t.Random()[:8])
	}
	n := lib.since()
	c.That(n <= 2, "%d fetches", n)
	lib.want(ctx, &c, "the good key afterwards", http.StatusOK, own, own.KeyID)
	return c.Err()
}
