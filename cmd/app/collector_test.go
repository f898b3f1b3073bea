package app

import "testing"

// A busy server spends its memory on fewer collections, an idle one gives it
// back, and a large heap is not doubled twice.
func TestCollectorPercent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		live, allocated uint64
		want            int
	}{
		"idle":                       {live: 26 << 20, allocated: 1 << 20, want: 100},
		"busy":                       {live: 26 << 20, allocated: 100 << 20, want: 300},
		"busy with a tiny heap":      {live: 4 << 20, allocated: 100 << 20, want: 400},
		"busy with half the room":    {live: 80 << 20, allocated: 100 << 20, want: 100},
		"busy with more than all":    {live: 300 << 20, allocated: 100 << 20, want: 100},
		"before anything was marked": {live: 0, allocated: 100 << 20, want: 100},
	} {
		if got := collectorPercent(c.live, c.allocated); got != c.want {
			t.Errorf("%s: GOGC %d, want %d", name, got, c.want)
		}
	}
}

// Hashes of passwords that come at once do not make a small server a large one,
// and a large one is not collected without end.
func TestCollectorLimit(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]uint64{
		0: 144 << 20, 26 << 20: 144 << 20, 72 << 20: 144 << 20, 80 << 20: 160 << 20, 300 << 20: 600 << 20,
	} {
		if got := collectorLimit(live); got != want {
			t.Errorf("%d MB live: %d MB", live>>20, got>>20)
		}
	}
}
