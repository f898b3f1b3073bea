package keys

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

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
		if _, err := nodes[round%2].Rotate(ctx, "t", []Use{UseAccessToken, UseIDTokenES256}[round/2%2], Announce); err != nil {
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
	if err := r.Open(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Sign(ctx, "t", UseIDToken, "JWT", claims{"a"}); err != nil {
		t.Fatal(err)
	}
	const every = 90 * 24 * time.Hour
	tend := func(made, removed int) {
		t.Helper()
		m, gone, err := r.Tend(ctx, "t", every)
		if err != nil || len(m) != made || len(gone) != removed {
			t.Errorf("made %d, removed %d: %v", len(m), len(gone), err)
		}
	}
	tend(0, 0)
	old, err := r.Sign(ctx, "t", UseAccessToken, "at+jwt", claims{"a"})
	if err != nil {
		t.Fatal(err)
	}
	c.Advance(every)
	tend(3, 0)
	tend(0, 0)
	c.Advance(Announce + Overlap - time.Minute)
	tend(0, 0)
	if _, err := r.Verify(ctx, "t", UseAccessToken, "at+jwt", old); err != nil {
		t.Error(err)
	}
	c.Advance(2 * time.Minute)
	tend(0, 3)
	if _, err := r.Verify(ctx, "t", UseAccessToken, "at+jwt", old); !errs.Is(err, errs.Unauthenticated) {
		t.Error(err)
	}
	if _, err := r.Rotate(ctx, "t", UseAccessToken, Announce-1); !errs.Is(err, errs.Invalid) {
		t.Error(err)
	}
}

// A key that others may know is gone at once, and another one signs.
func TestRevokedKey(t *testing.T) {
	ctx := context.Background()
	r := NewRing(&memory{}, &clock.Movable{})
	token, err := r.Sign(ctx, "t", UseAccessToken, "at+jwt", claims{"a"})
	if err != nil {
		t.Fatal(err)
	}
	_, kid, err := parse(token, UseAccessToken, "at+jwt")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Revoke(ctx, "t", kid); err != nil {
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
	if err := r.Revoke(ctx, "t", kid); !errs.Is(err, errs.NotFound) {
		t.Error(err)
	}
}
