package app

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/backup"
	"github.com/mandate-health/mandate/internal/journal"
)

// SG-09: a segment goes only when every backup that is kept is younger than its
// end and backups of its time have gone.
func TestWhichSegmentsAreCovered(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	days := func(n int) time.Time { return noon.AddDate(0, 0, n) }
	heads := []journal.Head{
		{Segment: "old", At: days(-40)}, {Segment: "own", At: days(-40)}, {Segment: "empty"}, {Segment: "late", At: days(-31)}, {Segment: "new", At: days(-1)},
	}
	kept := func(ages ...int) (all []backup.Kept) {
		for _, n := range ages {
			all = append(all, backup.Kept{Header: backup.Header{Taken: days(-n)}})
		}
		return all
	}
	for name, c := range map[string]struct {
		kept []backup.Kept
		want string
	}{
		"no backup":               {nil, ""},
		"young backups":           {kept(0, 5), "old late "},
		"one of before":           {kept(0, 50), ""},
		"one between":             {kept(0, 35), "old "},
		"one of the same hour":    {kept(0, 40), ""},
		"only one, of just now":   {kept(0), "old late "},
		"the newest is too young": {kept(-1), "old late "},
	} {
		gone, _ := covered(heads, c.kept, noon, 30*24*time.Hour, "own")
		got := ""
		for _, h := range gone {
			got += h.Segment + " "
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
