package audit

import (
	"context"
	"fmt"
	"time"
)

// indexed is a source with tables beside the leaves, by which the sealer finds
// its way: changed, they would lead it astray.
type indexed interface {
	checkIndex(ctx context.Context, size int64, nodes []Node) ([]Finding, error)
}

var _ indexed = (*LedgerSource)(nil)

// checkIndex compares what stands beside the leaves with the leaves and events,
// which are intact.
func (s *LedgerSource) checkIndex(ctx context.Context, size int64, nodes []Node) ([]Finding, error) {
	var out []Finding
	say := func(format string, args ...any) {
		out = append(out, Finding{Fault: IndexChanged, Seq: -1, Detail: fmt.Sprintf(format, args...)})
	}
	head, err := s.store.LedgerHead(ctx, s.tenant)
	if err != nil {
		return nil, err
	}
	if c, err := parseCheckpoint(string(head.Checkpoint)); err == nil && (c.Size != head.Size || !c.Time.Equal(head.Sealed.Truncate(time.Second))) {
		say("the head counts %d leaves sealed at %s, its checkpoint %d at %s",
			head.Size, head.Sealed.Format(time.RFC3339), c.Size, c.Time.Format(time.RFC3339))
	}
	for _, b := range s.misfits {
		say("the run of leaves from %d on is not dated like its events", b)
	}
	if err := s.checkNodes(ctx, nodes, say); err != nil {
		return nil, err
	}
	counts, err := s.store.LedgerMinutes(ctx, s.tenant, Minute(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)), Minute(endOfTime()))
	if err != nil {
		return nil, err
	}
	for m := range merged(counts, s.present) {
		if counts[m] != s.present[m] && size == head.Size {
			say("%d leaves are counted for the minute %s, there are %d", counts[m], time.UnixMicro(m*time.Minute.Microseconds()).UTC().Format(time.RFC3339), s.present[m])
		}
	}
	return out, nil
}

// checkNodes compares the kept hashes with those that the leaves lead to.
func (s *LedgerSource) checkNodes(ctx context.Context, nodes []Node, say func(string, ...any)) error {
	levels := map[int]int64{}
	for _, n := range nodes {
		levels[n.Level] = max(levels[n.Level], n.N+1)
	}
	for level, end := range levels {
		kept, err := s.store.LedgerNodes(ctx, s.tenant, level, 0, end)
		if err != nil {
			return err
		}
		have := make(map[int64]Hash, len(kept))
		for _, n := range kept {
			have[n.N] = n.Hash
		}
		for _, n := range nodes {
			if n.Level == level && have[n.N] != n.Hash {
				say("the kept hash %d of height %d is not that of its leaves", n.N, level)
			}
		}
	}
	return nil
}
