package shelf_test

import (
	"strconv"
	"testing"

	"github.com/mandate-health/mandate/internal/shelf"
)

// SMART ASY-14: whoever names addresses that give nothing pushes out none that
// does, and entries and bytes stay within their bounds.
func TestNothingPushesOutWhatIsInUse(t *testing.T) {
	s := shelf.New[string, *int](8, 100)
	made := 0
	fresh := func() *int { made++; return new(int) }
	living := map[string]*int{}
	for _, key := range []string{"a", "b", "c"} {
		living[key] = s.Entry(key, fresh)
		s.Holds(key, 10)
	}
	for i := range 1000 {
		s.Entry("stranger-"+strconv.Itoa(i), fresh)
		if s.Len() > 8 || s.Bytes() != 30 {
			t.Fatalf("%d entries with %d bytes", s.Len(), s.Bytes())
		}
	}
	was := made
	for key, v := range living {
		if s.Entry(key, fresh) != v {
			t.Errorf("%s was pushed out", key)
		}
	}
	if s.Entry("stranger-999", fresh); made != was {
		t.Errorf("%d new ones: the last stranger is forgotten at once", made-was)
	}
	if s.Entry("stranger-0", fresh); made != was+1 {
		t.Error("an address that gave nothing is remembered for ever")
	}
}

// What was asked for the longest ago goes first, by number and by size; what is
// too large for the shelf is not kept, and what went does not come back by itself.
func TestTheOldestGoesFirst(t *testing.T) {
	s := shelf.New[string, *int](4, 100)
	made := 0
	fresh := func() *int { made++; return new(int) }
	put := func(key string, size int64) { s.Entry(key, fresh); s.Holds(key, size) }
	kept := func(keys ...string) {
		t.Helper()
		was := made
		for _, key := range keys {
			if s.Entry(key, fresh); made != was {
				t.Errorf("%s is gone", key)
			}
		}
	}
	put("a", 30)
	put("b", 30)
	put("c", 30)
	s.Entry("a", fresh)
	put("d", 0)
	if kept("a", "c", "d"); s.Len() != 3 || s.Bytes() != 61 {
		t.Errorf("%d entries with %d bytes", s.Len(), s.Bytes())
	}
	put("c", 60)
	if kept("c", "d"); s.Bytes() != 91 && s.Bytes() != 61 {
		t.Errorf("%d bytes", s.Bytes())
	}
	was, had := s.Bytes(), s.Len()
	if put("huge", 101); s.Bytes() != was || s.Len() != had {
		t.Errorf("%d bytes in %d entries, were %d in %d", s.Bytes(), s.Len(), was, had)
	}
	s.Holds("never", 5)
	if was := s.Len(); was > 4 {
		t.Errorf("%d entries", was)
	}
}
