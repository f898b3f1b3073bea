package shelf

import "container/list"

// idle is which part of the entries may be kept for addresses that gave nothing.
const idle = 4

// Shelf keeps values by key. It is not safe for concurrent use: who has a lock
// for the values holds it.
type Shelf[K comparable, V any] struct {
	entries int
	bytes   int64

	at   map[K]*list.Element
	size int64
	// empty are entries that hold nothing yet, full those that do; the one used
	// last is in front.
	empty, full *list.List
}

type place[K comparable, V any] struct {
	key   K
	value V
	// size is 0 for an entry that holds nothing.
	size int64
}

// New gives a shelf for at most so many entries, at least idle, and so many bytes
// of what they hold.
func New[K comparable, V any](entries int, bytes int64) *Shelf[K, V] {
	return &Shelf[K, V]{entries: max(entries, idle), bytes: bytes, at: map[K]*list.Element{}, empty: list.New(), full: list.New()}
}

// Entry gives the value of a key, and has fresh make one that holds nothing where
// there is none.
func (s *Shelf[K, V]) Entry(key K, fresh func() V) V {
	if e, known := s.at[key]; known {
		p := of[K, V](e)
		s.queue(p).MoveToFront(e)
		return p.value
	}
	p := &place[K, V]{key: key, value: fresh()}
	s.at[key] = s.empty.PushFront(p)
	for s.empty.Len() > s.entries/idle {
		s.drop(s.empty.Back())
	}
	return p.value
}

// Holds notes that the value of a key now holds so many bytes, at least one, and
// makes room for it. A key that was pushed out meanwhile stays away.
func (s *Shelf[K, V]) Holds(key K, bytes int64) {
	e, known := s.at[key]
	if !known {
		return
	}
	p := of[K, V](e)
	s.queue(p).Remove(e)
	bytes = max(bytes, 1)
	s.size += bytes - p.size
	p.size = bytes
	s.at[key] = s.full.PushFront(p)
	if p.size > s.bytes {
		// One alone pushes out nothing.
		s.drop(s.full.Front())
	}
	for s.full.Len() > s.entries-s.entries/idle || s.size > s.bytes {
		s.drop(s.full.Back())
	}
}

// Len gives how many entries there are, Bytes what they hold together.
func (s *Shelf[K, V]) Len() int { return len(s.at) }

// Bytes gives the bytes that all entries hold together.
func (s *Shelf[K, V]) Bytes() int64 { return s.size }

func (s *Shelf[K, V]) queue(p *place[K, V]) *list.List {
	if p.size > 0 {
		return s.full
	}
	return s.empty
}

func (s *Shelf[K, V]) drop(e *list.Element) {
	p := of[K, V](e)
	s.queue(p).Remove(e)
	s.size -= p.size
	delete(s.at, p.key)
}

// of gives what an element of our own lists carries.
func of[K comparable, V any](e *list.Element) *place[K, V] {
	p, _ := e.Value.(*place[K, V])
	return p
}
