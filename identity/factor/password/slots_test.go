package password

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/mandate-health/mandate/internal/errs"
)

// Work is bounded: whoever finds no free slot waits, but not longer than the
// request lives, and the slot is free again afterwards.
func TestWaitingForASlotEndsWithTheRequest(t *testing.T) {
	h := New(Config{MemoryKiB: 64, Passes: 1, Slots: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	if err := h.slots.enter(t.Context(), false); err != nil { // another log-in is being checked
		t.Fatal(err)
	}
	for _, known := range []bool{true, false} {
		if _, err := h.Verify(ctx, nil, "x", known); !errs.Is(err, errs.Unavailable) {
			t.Errorf("want temporarily unavailable, got %v", err)
		}
	}
	if _, err := h.Hash(ctx, "correct horse battery"); !errs.Is(err, errs.Unavailable) {
		t.Errorf("want temporarily unavailable, got %v", err)
	}
	if n := h.Waiting(); n != 0 {
		t.Errorf("%d wait who went away", n)
	}
	h.slots.leave()
	for range 3 {
		if _, err := h.Verify(t.Context(), nil, "x", false); err != nil {
			t.Errorf("a slot was lost: %v", err)
		}
	}
}

// SM-17: of those who wait, people on devices they are known on come first, the others
// in the order in which they came.
func TestKnownDevicesComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slots{}
		var order []string
		for _, who := range []string{"stranger 1", "stranger 2", "Rosa", "stranger 3", "Tom"} {
			go func() {
				if err := s.enter(t.Context(), who == "Rosa" || who == "Tom"); err != nil {
					t.Error(err)
				}
				order = append(order, who)
			}()
			synctest.Wait()
		}
		if s.waiting() != 5 {
			t.Errorf("%d wait", s.waiting())
		}
		for range 5 {
			s.leave()
			synctest.Wait()
		}
		for i, want := range []string{"Rosa", "Tom", "stranger 1", "stranger 2", "stranger 3"} {
			if i >= len(order) || order[i] != want {
				t.Fatalf("the order is %q", order)
			}
		}
		s.leave()
		if s.free != 1 || s.waiting() != 0 {
			t.Errorf("%d free, %d wait", s.free, s.waiting())
		}
	})
}

// A turn that comes in the moment in which a request ends is not lost.
func TestATurnIsNeverLost(t *testing.T) {
	for range 200 {
		s := &slots{}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.enter(ctx, false) }()
		for s.waiting() == 0 {
		}
		go cancel()
		s.leave()
		if err := <-done; err == nil {
			s.leave()
		}
		if s.free != 1 {
			t.Fatalf("%d slots are free", s.free)
		}
	}
}
