package password

import (
	"context"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
)

// Work is bounded: whoever finds no free slot waits, but not longer than the
// request lives, and the slot is free again afterwards.
func TestWaitingForASlotEndsWithTheRequest(t *testing.T) {
	h := New(Config{MemoryKiB: 64, Passes: 1, Slots: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	h.slots <- struct{}{} // another log-in is being checked
	if _, err := h.Verify(ctx, nil, "x"); !errs.Is(err, errs.Unavailable) {
		t.Errorf("want temporarily unavailable, got %v", err)
	}
	if _, err := h.Hash(ctx, "correct horse battery"); !errs.Is(err, errs.Unavailable) {
		t.Errorf("want temporarily unavailable, got %v", err)
	}
	<-h.slots
	for range 3 {
		if _, err := h.Verify(t.Context(), nil, "x"); err != nil {
			t.Errorf("a slot was lost: %v", err)
		}
	}
}
