package keys

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/txn"
)

// memoryTx is a transaction on a memory that is told what is done.
type memoryTx struct {
	*memory
	Vault
	Resealer
}

func (m memoryTx) Record(_ context.Context, a Act) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.acts == nil {
		m.acts = map[string]int{}
	}
	m.acts[a.Reason]++
	return nil
}

// custody gives a custodian of signing keys.
func custody(store *memory, r *Ring, c clock.Clock) *Custodian {
	return &Custodian{Ring: r, Clock: c, Tx: txn.Func[Tx](func(_ context.Context, fn func(Tx) error) error {
		return fn(memoryTx{memory: store})
	})}
}

// SE-03, SMART OID-13: two nodes rotate each use again and again under load. A
// node reads the ring again some seconds after a change, as Reload does; no
// token fails at either, and none is signed by a retired key.
func TestRotationUnderLoad(t *testing.T) {
	ctx, store, c := t.Context(), &memory{}, &clock.Movable{}
	nodes := []*Ring{NewRing(store, c), NewRing(store, c)}
	for _, n := range nodes {
		if err := n.Open(ctx, "t"); err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				use := []Use{UseAccessToken, UseIDTokenES256}[n%2]
				token, err := nodes[i%2].Sign(ctx, "t", use, "JWT", claims{"a"})
				if err == nil {
					_, err = nodes[(i+n/2)%2].Verify(ctx, "t", use, "JWT", token)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for round := range 12 {
		if _, err := custody(store, nodes[round%2], c).RotateSigning(ctx, "t", []Use{UseAccessToken, UseIDTokenES256}[round/2%2], Announce); err != nil {
			t.Error(err)
		}
		c.Advance(reloadAfter)
		if err := nodes[(round+1)%2].Reload(ctx, "t"); err != nil {
			t.Error(err)
		}
		c.Advance(Announce)
		for _, n := range nodes {
			token, err := n.Sign(ctx, "t", UseAccessToken, "JWT", claims{"a"})
			if err != nil {
				t.Fatal(err)
			}
			_, kid, _ := parse(token, UseAccessToken, "JWT")
			stored, _ := store.SigningKeys(ctx, "t")
			at := slices.IndexFunc(stored, func(k SigningKey) bool { return k.KID == kid })
			if r := stored[at].Retired; !r.IsZero() && !r.After(c.Now()) {
				t.Error("a retired key signed")
			}
		}
	}
	close(stop)
	wg.Wait()
}

// Keys rotate by their schedule, the next one announced, and what was retired
// vanishes after the overlap.
func TestSchedule(t *testing.T) {
	ctx, store, c := t.Context(), &memory{}, &clock.Movable{}
	r := NewRing(store, c)
	custodian := custody(store, r, c)
	if err := r.Open(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Sign(ctx, "t", UseIDToken, "JWT", claims{"a"}); err != nil {
		t.Fatal(err)
	}
	const every = 90 * 24 * time.Hour
	tend := func(made, removed int) {
		t.Helper()
		store.acts = map[string]int{}
		err := custodian.TendSigning(ctx, "t", every)
		if m, gone := store.acts["signing-key-scheduled"], store.acts["signing-key-removed"]; err != nil || m != made || gone != removed {
			t.Errorf("made %d, removed %d: %v", m, gone, err)
		}
	}
	tend(0, 0)
	old, err := r.Sign(ctx, "t", UseAccessToken, "at+jwt", claims{"a"})
	if err != nil {
		t.Fatal(err)
	}
	c.Advance(every)
	tend(5, 0)
	tend(0, 0)
	c.Advance(Announce + Overlap - time.Minute)
	tend(0, 0)
	if _, err := r.Verify(ctx, "t", UseAccessToken, "at+jwt", old); err != nil {
		t.Error(err)
	}
	c.Advance(2 * time.Minute)
	tend(0, 4)
	if _, err := r.Verify(ctx, "t", UseAccessToken, "at+jwt", old); !errs.Is(err, errs.Unauthenticated) {
		t.Error(err)
	}
	if _, err := custodian.RotateSigning(ctx, "t", UseAccessToken, Announce-1); !errs.Is(err, errs.Invalid) {
		t.Error(err)
	}
}

// A key that others may know is gone at once, and another one signs.
func TestRevokedKey(t *testing.T) {
	ctx := context.Background()
	store, c := &memory{}, &clock.Movable{}
	r := NewRing(store, c)
	custodian := custody(store, r, c)
	token, err := r.Sign(ctx, "t", UseAccessToken, "at+jwt", claims{"a"})
	if err != nil {
		t.Fatal(err)
	}
	_, kid, err := parse(token, UseAccessToken, "at+jwt")
	if err != nil {
		t.Fatal(err)
	}
	if err := custodian.RevokeSigning(ctx, "t", kid); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Verify(ctx, "t", UseAccessToken, "at+jwt", token); !errs.Is(err, errs.Unauthenticated) {
		t.Error(err)
	}
	fresh, err := r.Sign(ctx, "t", UseAccessToken, "at+jwt", claims{"a"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Verify(ctx, "t", UseAccessToken, "at+jwt", fresh); err != nil {
		t.Error(err)
	}
	if err := custodian.RevokeSigning(ctx, "t", kid); !errs.Is(err, errs.NotFound) {
		t.Error(err)
	}
}
