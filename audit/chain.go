package audit

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// anchor is a checkpoint that the tree must agree with at its size.
type anchor struct {
	Checkpoint
	witnessed bool
	// by are the keys that signed it, agreed whether the tree leads to it.
	by     []uint32
	agreed bool
}

func (a *anchor) String() string {
	if a.witnessed {
		return "the checkpoint kept elsewhere of " + a.Time.Format(time.RFC3339)
	}
	return "a checkpoint of " + a.Time.Format(time.RFC3339)
}

// handover is an event that announces a generation of keys.
type handover struct {
	id         string
	from, to   note.Verifier
	seq        int64
	wasApplied bool
}

// span is between which sizes of the tree a key signs, both included.
type span struct{ from, to int64 }

// chain follows the keys of a log from the one that is trusted, forward and
// back, along the announcements in the log itself (D8).
type chain struct {
	trusted note.Verifier
	known   map[uint32]note.Verifier
	hands   []handover
	spans   map[uint32]span
}

// newChain takes a trusted key and the events that may announce others.
func newChain(trusted note.Verifier, events []Event) *chain {
	c := &chain{trusted: trusted, known: map[uint32]note.Verifier{trusted.KeyHash(): trusted}, spans: map[uint32]span{}}
	for _, e := range events {
		if !announces(e) {
			continue
		}
		from, err := note.NewVerifier(e.Detail[detailPrevious])
		to, err2 := note.NewVerifier(e.Detail[detailNext])
		if err != nil || err2 != nil || from.Name() != trusted.Name() || to.Name() != trusted.Name() {
			continue
		}
		c.hands = append(c.hands, handover{id: e.ID, from: from, to: to, seq: -1})
		c.learn(from)
		c.learn(to)
	}
	return c
}

// announces reports whether the event is the announcement of a generation.
func announces(e Event) bool { return e.Kind == KeyChanged && e.Reason == reasonKeysRotated }

// learn makes a key known; a second one of the same hash is not.
func (c *chain) learn(v note.Verifier) {
	if _, taken := c.known[v.KeyHash()]; !taken {
		c.known[v.KeyHash()] = v
	}
}

// verifiers gives all keys that may come to be trusted.
func (c *chain) verifiers() note.Verifiers {
	var out []note.Verifier
	for _, v := range c.known {
		out = append(out, v)
	}
	return note.VerifierList(out...)
}

// met notes where an announcement stands, intact, in the tree.
func (c *chain) met(id string, seq int64) {
	for i := range c.hands {
		if c.hands[i].id == id {
			c.hands[i].seq = seq
		}
	}
}

// trustAll makes further keys trusted at every size: those that the record of
// an erased tenant names.
func (c *chain) trustAll(keys []string) {
	for _, text := range keys {
		if v, err := note.NewVerifier(text); err == nil {
			c.learn(v)
			c.spans[v.KeyHash()] = span{0, math.MaxInt64}
		}
	}
}

// follow settles between which sizes each key signs. An announcement counts
// when it is intact and the checkpoint right behind it, which the tree agrees
// with, is signed by the key that is trusted already.
func (c *chain) follow(anchors []*anchor) {
	if len(c.spans) > 0 {
		return
	}
	slices.SortFunc(c.hands, func(a, b handover) int { return cmp.Compare(a.seq, b.seq) })
	c.spans[c.trusted.KeyHash()] = span{0, math.MaxInt64}
	for again := true; again; {
		again = false
		for i := range c.hands {
			if h := &c.hands[i]; !h.wasApplied && c.apply(h, anchors) {
				h.wasApplied, again = true, true
			}
		}
	}
}

func (c *chain) apply(h *handover, anchors []*anchor) bool {
	at, from, to := h.seq+1, h.from.KeyHash(), h.to.KeyHash()
	older, first := c.spans[from]
	newer, second := c.spans[to]
	switch {
	case h.seq < 0:
		return false
	case first && !second && older.from <= at && at <= older.to && signedAt(anchors, at, from):
		c.spans[from], c.spans[to] = span{older.from, at}, span{at, math.MaxInt64}
	case second && !first && newer.from <= at && signedAt(anchors, at, to):
		c.spans[from], c.spans[to] = span{0, at}, span{at, newer.to}
	default:
		return false
	}
	return true
}

// signedAt reports whether the tree agrees with a checkpoint of a size that a
// key signed.
func signedAt(anchors []*anchor, size int64, key uint32) bool {
	return slices.ContainsFunc(anchors, func(a *anchor) bool {
		return a.agreed && a.Size == size && slices.Contains(a.by, key)
	})
}

// judge says what is wrong with who signed a checkpoint, empty for nothing.
func (c *chain) judge(a *anchor) string {
	why := ""
	for _, key := range a.by {
		s, trusted := c.spans[key]
		switch {
		case trusted && s.from <= a.Size && a.Size <= s.to:
			return ""
		case trusted:
			why = fmt.Sprintf("%s is signed by a key that did not sign at its size of %d", a, a.Size)
		case why == "":
			why = fmt.Sprintf("%s is signed by a key that this log's key did not hand on to", a)
		}
	}
	return why
}
