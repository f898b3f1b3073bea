package keys

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
)

// hashing is two nodes over one store, whose first hash key is the secret of a
// store of before.
type hashing struct {
	*Custodian
	store *memory
	clock *clock.Movable
	nodes [2]*Ring
	h     [2]ids.Hasher
	// old was made under the first key and has the hash was.
	old, was string
	// inUse answers InUse, asked is the mark that it was asked about.
	inUse bool
	asked string
}

func newHashing(t *testing.T) *hashing {
	t.Helper()
	secret := strings.Repeat("k", 32)
	n := &hashing{store: &memory{secrets: map[string][]byte{"t" + HashSecret: []byte(secret)}}, clock: &clock.Movable{}, inUse: true}
	for i := range n.nodes {
		n.nodes[i] = NewRing(n.store, n.clock)
		h, err := n.nodes[i].Hasher(t.Context(), "t")
		if err != nil {
			t.Fatal(err)
		}
		n.h[i] = h
	}
	n.old = n.h[0].Secret(ids.Source{})
	n.was = ids.Hasher{Key: []byte(secret)}.Hash("code", n.old)
	if len(n.old) != 43 || n.h[1].Hash("code", n.old) != n.was {
		t.Fatalf("%q is not hashed as before", n.old)
	}
	n.Custodian = custody(n.store, n.nodes[0], n.clock)
	n.Lives = map[Use]time.Duration{UseTokenHash: 300 * 24 * time.Hour}
	n.InUse = func(_ context.Context, _, mark string) (bool, error) {
		n.asked = mark
		return n.inUse, nil
	}
	return n
}

// rotate announces the next key and lets both nodes hear of it.
func (n *hashing) rotate(t *testing.T) SigningKey {
	t.Helper()
	k, err := n.RotateSigning(t.Context(), "t", UseTokenHash, Announce)
	if err != nil || k.Alg != "HS256" {
		t.Fatal(k, err)
	}
	n.clock.Advance(reloadAfter)
	if err := n.nodes[1].Reload(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	return k
}

// SE-03: two nodes replace the key of hashes. What was made before is found
// after, under either node, and what is made after has the mark of the new key.
func TestHashKeyRotation(t *testing.T) {
	n := newHashing(t)
	k := n.rotate(t)
	if mark := ids.Mark(n.h[0].Secret(ids.Source{})); mark != "" {
		t.Errorf("the new key is used before its time: %q", mark)
	}
	n.clock.Advance(Announce)
	fresh := n.h[0].Secret(ids.Source{})
	if ids.Mark(fresh) != k.Mark() || n.h[1].Hash("code", fresh) != n.h[0].Hash("code", fresh) || n.h[1].Hash("code", n.old) != n.was {
		t.Errorf("%q under the new key %q", fresh, k.Mark())
	}
	if n.h[0].At(k.Signs.Add(-time.Microsecond)).Mark() != "" || n.h[0].At(k.Signs).Mark() != k.Mark() {
		t.Error("a time before the rotation has the new key, or one after it the old one")
	}
	if !slices.Contains(Kinds(), string(UseTokenHash)) {
		t.Error("doctor and metrics do not know the kind")
	}
	jwks, err := n.nodes[0].JWKS(t.Context(), "t")
	if err != nil || strings.Contains(string(jwks), k.KID) {
		t.Error("a secret is published", err)
	}
}

// SE-03: the old key goes when nothing can live under it any more: neither time
// nor client secrets let it go before.
func TestHashKeyGoes(t *testing.T) {
	n := newHashing(t)
	n.rotate(t)
	tend := func(want int) {
		t.Helper()
		if err := n.TendSigning(t.Context(), "t", 1000*24*time.Hour); err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, k := range n.store.keys {
			if k.Use == UseTokenHash {
				left++
			}
		}
		if left != want || (n.store.secrets["t"+HashSecret] != nil) != (want == 2) {
			t.Errorf("%d keys, want %d", left, want)
		}
	}
	n.clock.Advance(Announce + 300*24*time.Hour)
	n.asked = "nothing"
	tend(2)
	n.clock.Advance(2 * time.Hour)
	if n.asked != "nothing" {
		t.Error("asked before its time")
	}
	tend(2)
	if n.asked != "" {
		t.Errorf("asked about the key of %q", n.asked)
	}
	n.inUse = false
	tend(1)
	if n.h[0].Hash("code", n.old) == n.was {
		t.Error("the key that was removed still hashes")
	}
}
