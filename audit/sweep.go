package audit

import (
	"context"
	"maps"
	"slices"
	"time"
)

// sweepSpan is how many minutes are counted at once.
const sweepSpan = 24 * 60

// sweep compares counts from since on, or from the first event on.
func (t *sealing) sweep(ctx context.Context, since time.Time) (int, error) {
	if _, err := t.load(ctx); err != nil {
		return 0, err
	}
	now := t.d.Clock.Now()
	t.status.Oldest, t.status.Lost, t.status.LostMinute, t.status.Unreadable = time.Time{}, 0, time.Time{}, nil
	t.watched = t.status.Sealed.Add(-settled)
	defer func() { t.watched = time.Time{} }()
	// A minute is counted once it is settled; those far in the future come from
	// a wrong clock and are counted too.
	closed, future := Minute(now.Add(-settled-time.Minute))+1, Minute(now.Add(ahead))+1
	sum := 0
	if since.IsZero() {
		// Events without a time, and those from before the epoch, count as one.
		from, err := t.firstMinute(ctx)
		if err != nil {
			return 0, err
		}
		since = time.UnixMicro(from * time.Minute.Microseconds())
	}
	for from := Minute(since); from < closed; from += sweepSpan {
		n, err := t.compare(ctx, from, min(from+sweepSpan, closed))
		sum += n
		if err != nil || t.right == nil {
			return sum, err
		}
	}
	n, err := t.compare(ctx, future, Minute(endOfTime()))
	sum += n
	if err != nil || t.right == nil {
		return sum, err
	}
	t.status.Swept = now
	return sum, nil
}

// firstMinute gives the minute of the oldest event or leaf.
func (t *sealing) firstMinute(ctx context.Context) (int64, error) {
	page, err := t.d.Ledger.AuditStamps(ctx, t.tenant, Stamp{Time: time.Date(-9999, 1, 1, 0, 0, 0, 0, time.UTC)}, endOfTime())
	if err != nil {
		return 0, err
	}
	first := Minute(t.d.Clock.Now())
	if len(page) > 0 {
		first = min(first, Minute(page[0].Time))
	}
	batches, err := t.d.Ledger.LedgerBatches(ctx, t.tenant, 0, 1)
	if err != nil {
		return 0, err
	}
	for _, b := range batches {
		first = min(first, Minute(b.From))
	}
	return first, nil
}

// compare counts events and leaves of minutes and looks into those that
// differ.
func (t *sealing) compare(ctx context.Context, from, to int64) (int, error) {
	events, err := t.d.Ledger.AuditMinutes(ctx, t.tenant, from, to)
	if err != nil {
		return 0, err
	}
	leaves, err := t.d.Ledger.LedgerMinutes(ctx, t.tenant, from, to)
	if err != nil {
		return 0, err
	}
	sum := 0
	for _, m := range slices.Sorted(maps.Keys(merged(events, leaves))) {
		have, sealed := events[m], leaves[m]
		if have == sealed {
			continue
		}
		n, err := t.examine(ctx, m)
		sum += n
		if err != nil || t.right == nil {
			return sum, err
		}
		sealed += int64(n)
		switch start := time.UnixMicro(m * time.Minute.Microseconds()).UTC(); {
		case have > sealed && (t.status.Oldest.IsZero() || start.Before(t.status.Oldest)):
			t.status.Oldest = start
		case have < sealed:
			if t.status.Lost += sealed - have; t.status.LostMinute.IsZero() {
				t.status.LostMinute = start
			}
		}
	}
	return sum, nil
}

// noteLate counts an event that a sweep seals although events of its time had
// been sealed before. Whoever forges a row is told from a slow transaction by
// its age, and from what was written while no server ran by the tree's.
func (t *sealing) noteLate(at time.Time) {
	if !at.Before(t.watched) {
		return
	}
	t.status.Late++
	if now := t.d.Clock.Now(); now.Sub(at) > slowest {
		t.status.Backdated++
		t.status.BackdatedAt = now
	}
}

// examine seals the events of one minute that have no leaf.
func (t *sealing) examine(ctx context.Context, minute int64) (int, error) {
	from, until := minuteSpan(minute)
	known, err := sealedBetween(ctx, t.d.Ledger, t.tenant, from.Add(-time.Second), until.Add(time.Second))
	if err != nil {
		return 0, err
	}
	return t.sealSpan(ctx, from, until, known)
}

// minuteSpan gives the first and the last moment of a minute. Division rounds
// toward zero, so minute 0 has two.
func minuteSpan(minute int64) (from, until time.Time) {
	from = time.UnixMicro(minute * time.Minute.Microseconds())
	until = from.Add(time.Minute - time.Microsecond)
	switch {
	case minute == 0:
		from = from.Add(-time.Minute)
	case minute < 0:
		from, until = from.Add(-time.Minute+time.Microsecond), from
	}
	return from, until
}

func merged(a, b map[int64]int64) map[int64]int64 {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}
