package audit

import (
	"context"
	"time"
)

// seal appends the first events to the tree in one transaction and gives those
// that were sealed, none when another node grew the tree meanwhile, and the
// rest. What announces keys is the last one: the checkpoint behind it hands the
// log on to them.
func (t *sealing) seal(ctx context.Context, stamps []Stamp) (done, rest []Stamp, err error) {
	g := growth{right: t.right.clone(), ext: Extension{Tenant: t.tenant, From: t.right.size, Sealed: t.d.Clock.Now(), Minutes: map[int64]int64{}}}
	rest = stamps
	for g.next == nil && len(rest) > 0 && len(g.done) < sealChunk {
		chunk := rest[:min(readChunk, len(rest))]
		n, err := t.grow(ctx, &g, chunk)
		if err != nil {
			return nil, nil, err
		}
		rest = rest[n:]
	}
	if len(g.done) == 0 {
		return nil, rest, nil
	}
	now := g.ext.Sealed
	g.ext.To = g.right.size
	g.ext.Keep = g.next != nil || now.Sub(t.kept) >= keepEvery || now.Before(t.kept)
	if g.next != nil {
		g.ext.Generation = g.next.Generation
	}
	if g.ext.Checkpoint, err = t.keys.sign(g.right.size, g.right.root(), now, g.next); err != nil {
		return nil, nil, err
	}
	won, err := t.d.Ledger.ExtendLedger(ctx, g.ext)
	if err != nil || !won {
		t.right = nil
		return nil, rest, err
	}
	if g.ext.Keep {
		t.kept = now
	}
	if g.next != nil {
		g.next.Signs = g.ext.To
		t.keys.VerifierKey = t.keys.current().VerifierKey
	}
	t.right, t.status.Size, t.status.Sealed = g.right, g.right.size, now
	return g.done, rest, nil
}

// growth is one growth of the tree in the making.
type growth struct {
	right *frontier
	ext   Extension
	done  []Stamp
	// next is the generation of keys that the last event announces.
	next *generation
}

// grow adds events and gives how many it has looked at.
func (t *sealing) grow(ctx context.Context, g *growth, chunk []Stamp) (int, error) {
	stored, err := t.read(ctx, chunk)
	if err != nil {
		return 0, err
	}
	for i, s := range chunk {
		e, found := stored[s.ID]
		if !found || !t.sealable(e) {
			continue
		}
		hash, err := t.leaf(e, g.right.size)
		if err != nil {
			return 0, err
		}
		g.ext.put(Leaf{Seq: g.right.size, ID: s.ID, Hash: hash}, s.Time)
		g.ext.Nodes = append(g.ext.Nodes, g.right.add(hash)...)
		g.done = append(g.done, s)
		if g.next = t.keys.announced(s.ID); g.next != nil && announces(e.Event) {
			return i + 1, nil
		}
		g.next = nil
	}
	return len(chunk), nil
}

// put adds a leaf to the last batch, or to a new one at a multiple of 256.
func (e *Extension) put(l Leaf, at time.Time) {
	if len(e.Batches) == 0 || l.Seq%blockSize == 0 {
		e.Batches = append(e.Batches, Batch{From: at, To: at})
	}
	b := &e.Batches[len(e.Batches)-1]
	b.Leaves = append(b.Leaves, l)
	if at.Before(b.From) {
		b.From = at
	}
	if at.After(b.To) {
		b.To = at
	}
	e.Minutes[Minute(at)]++
}
