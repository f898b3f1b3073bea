package txn_test

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/txn"
)

func TestNobodyWaitsForWhoIsNotExpected(t *testing.T) {
	var c txn.Company
	if c.Patience(1) != 0 {
		t.Error("the first one waits")
	}
	c.Shared(8, 8, time.Millisecond)
	if c.Patience(8) != time.Millisecond/2 || c.Patience(15) == 0 || c.Patience(16) != 0 || c.Patience(17) != 0 {
		t.Error("sixteen are expected")
	}
	// One who comes alone waits once at most.
	c.Shared(1, 0, time.Millisecond)
	if c.Patience(1) != 0 {
		t.Error("who comes alone waits")
	}
	c.Shared(2, 2, time.Minute)
	if got := c.Patience(1); got <= 0 || got > 10*time.Millisecond {
		t.Errorf("after a slow commit: %v", got)
	}
}
