package keys

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

// memory keeps keys for tests; puts counts the writes.
type memory struct {
	mu      sync.Mutex
	keys    []SigningKey
	secrets map[string][]byte
	puts    int
	acts    map[string]int
}

func (m *memory) SigningKeys(_ context.Context, tenant string) ([]SigningKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.keys), func(k SigningKey) bool { return k.Tenant != tenant }), nil
}

func (m *memory) PutSigningKey(_ context.Context, k SigningKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.puts++
	for i := range m.keys {
		if m.keys[i].KID == k.KID && m.keys[i].Tenant == k.Tenant {
			m.keys[i] = k
			return nil
		}
	}
	m.keys = append(m.keys, k)
	return nil
}

func (m *memory) RemoveSigningKey(_ context.Context, _, kid string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys = slices.DeleteFunc(m.keys, func(k SigningKey) bool { return k.KID == kid })
	return nil
}

func (m *memory) Secret(_ context.Context, tenant, name string, fresh func() []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.secrets == nil {
		m.secrets = map[string][]byte{}
	}
	if m.secrets[tenant+name] == nil {
		m.secrets[tenant+name] = fresh()
	}
	return m.secrets[tenant+name], nil
}

func (m *memory) RemoveSecret(_ context.Context, tenant, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.secrets, tenant+name)
	return nil
}

type claims struct {
	Sub string `json:"sub"`
}

// SMART OID-03, OID-13: what an old key signed still verifies after rotation,
// new tokens carry the new kid, and both keys are published.
func TestRotationKeepsOldTokensValid(t *testing.T) {
	ctx := context.Background()
	c := &clock.Movable{}
	store := &memory{}
	r := NewRing(store, c)
	old, err := r.Sign(ctx, "t", UseAccessToken, "at+jwt", claims{"a"})
	if err != nil {
		t.Fatal(err)
	}
	c.Advance(time.Minute)
	next, err := custody(store, r, c).RotateSigning(ctx, "t", UseAccessToken, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	announced, err := r.Sign(ctx, "t", UseAccessToken, "at+jwt", claims{"c"})
	if _, named, _ := parse(announced, UseAccessToken, "at+jwt"); err != nil || named == next.KID {
		t.Errorf("signed with a key while it was announced: %v", err)
	}
	c.Advance(time.Minute)
	fresh, err := r.Sign(ctx, "t", UseAccessToken, "at+jwt", claims{"b"})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{old, announced, fresh} {
		if _, err := r.Verify(ctx, "t", UseAccessToken, "at+jwt", token); err != nil {
			t.Error(err)
		}
	}
	_, named, err := parse(fresh, UseAccessToken, "at+jwt")
	if err != nil || named != next.KID {
		t.Errorf("signed with %q, want the new key: %v", named, err)
	}
	raw, err := r.JWKS(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	algs := map[string]int{}
	for _, k := range set.Keys {
		algs[k["alg"]]++
		if k["kid"] == "" || k["use"] != "sig" || k["d"] != "" || k["x5c"] != "" {
			t.Errorf("not a bare public key: %v", k)
		}
	}
	if algs["ES256"] != 3 || algs["RS256"] != 1 {
		t.Errorf("published: %v", algs)
	}
}

func TestVerifyRefuses(t *testing.T) {
	ctx := context.Background()
	r := NewRing(&memory{}, clock.System{})
	other := NewRing(&memory{}, clock.System{})
	sign := func(r *Ring, use Use, typ string) string {
		token, err := r.Sign(ctx, "t", use, typ, claims{"a"})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	good := sign(r, UseAccessToken, "at+jwt")
	parts := strings.Split(good, ".")
	for name, token := range map[string]string{
		"another type":    sign(r, UseAccessToken, "JWT"),
		"an id_token":     sign(r, UseIDToken, "at+jwt"),
		"a foreign key":   sign(other, UseAccessToken, "at+jwt"),
		"alg none":        "eyJhbGciOiJub25lIn0." + parts[1] + ".",
		"another payload": parts[0] + ".eyJzdWIiOiJ4In0." + parts[2],
		"garbage":         "garbage",
		"nothing":         "",
	} {
		if _, err := r.Verify(ctx, "t", UseAccessToken, "at+jwt", token); !errs.Is(err, errs.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Two nodes on one store see one another's keys, and each tenant has its own
// keys and hash secret.
func TestNodesShareTheStore(t *testing.T) {
	ctx := context.Background()
	store := &memory{}
	c := &clock.Movable{}
	a, b := NewRing(store, c), NewRing(store, c)
	if err := b.Open(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	c.Advance(time.Second)
	if _, err := custody(store, a, c).RotateSigning(ctx, "t", UseAccessToken, Announce); err != nil {
		t.Fatal(err)
	}
	c.Advance(Announce)
	token, err := a.Sign(ctx, "t", UseAccessToken, "at+jwt", claims{"a"})
	if err != nil {
		t.Fatal(err)
	}
	c.Advance(reloadAfter)
	if _, err := b.Verify(ctx, "t", UseAccessToken, "at+jwt", token); err != nil {
		t.Error(err)
	}
	ha, _ := a.Hasher(ctx, "t")
	hb, _ := b.Hasher(ctx, "t")
	hc, _ := b.Hasher(ctx, "u")
	if ha.Hash("code", "x") != hb.Hash("code", "x") || ha.Hash("code", "x") == hc.Hash("code", "x") {
		t.Error("the hash secret is not one per tenant")
	}
}

// Keys are made once, also when many requests come first.
func TestKeysAreMadeOnce(t *testing.T) {
	ctx := context.Background()
	store := &memory{}
	r := NewRing(store, clock.System{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := r.Sign(ctx, "t", UseIDToken, "JWT", claims{"a"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if store.puts != 5 {
		t.Errorf("%d keys were made", store.puts)
	}
}

func TestOpenKeyRefusesAnotherAlgorithm(t *testing.T) {
	k, err := makeKey("t", UseAccessToken, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	k.Alg = "RS256"
	if _, err := openKey(k); !errs.Is(err, errs.Internal) {
		t.Errorf("the algorithm of a kid changed: %v", err)
	}
}
