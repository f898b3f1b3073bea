package watch

import (
	"container/list"
	"context"
	"slices"
	"sync"
)

// maxCopies bounds the memory of a feed, in copies.
const maxCopies = 20000

// cache keeps the copies used last.
type cache struct {
	mu    sync.Mutex
	order *list.List
	byKey map[Change]*list.Element
	// round grows whenever something is forgotten: what was read in an
	// earlier round may be old and is not kept.
	round uint64
}

type entry struct {
	key   Change
	value any
}

func newCache() *cache {
	return &cache{order: list.New(), byKey: map[Change]*list.Element{}}
}

func (c *cache) get(key Change) (value any, round uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return nil, c.round, false
	}
	c.order.MoveToFront(e)
	kept, ok := e.Value.(entry)
	return kept.value, c.round, ok
}

// put keeps a value that was read in a round, unless something was forgotten
// since.
func (c *cache) put(key Change, value any, round uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.round != round {
		return
	}
	if e, ok := c.byKey[key]; ok {
		e.Value = entry{key, value}
		return
	}
	c.byKey[key] = c.order.PushFront(entry{key, value})
	if c.order.Len() > maxCopies {
		c.drop(c.order.Back())
	}
}

func (c *cache) drop(e *list.Element) {
	if kept, ok := c.order.Remove(e).(entry); ok {
		delete(c.byKey, kept.key)
	}
}

// Whole is the key of a copy that concerns everything of its kind and tenant: a
// change of any of it drops the copy. No row has this key.
const Whole = "\x00"

// beside ends the key of a second copy. No row has such a key.
const beside = "\x00beside"

// Beside names a second copy of what a change concerns, of another type: both are
// dropped together.
func (c Change) Beside() Change {
	c.Key += beside
	return c
}

// forget drops what the changes name, and what they are a part of; the zero
// Change names everything.
func (c *cache) forget(all []Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.round++
	if slices.Contains(all, Change{}) {
		c.order.Init()
		clear(c.byKey)
		return
	}
	for _, one := range all {
		for _, key := range []Change{one, one.Beside(), {Tenant: one.Tenant, Kind: one.Kind, Key: Whole}} {
			if e, ok := c.byKey[key]; ok {
				c.drop(e)
			}
		}
	}
}

// Load gives the copy of what a change of that name would concern, or reads it
// and keeps it. A copy is served only while the feed is fresh and while good
// says so; nil good serves any. Errors, those of read, are not kept. Copies
// are shared: nobody may change what they point to.
func Load[T any](ctx context.Context, f *Feed, key Change, good func(T) bool, read func(context.Context) (T, error)) (T, error) {
	if !f.Fresh() {
		return read(ctx)
	}
	kept, round, ok := f.cache.get(key)
	if v, typed := kept.(T); ok && typed && (good == nil || good(v)) {
		return v, nil
	}
	v, err := read(ctx)
	if err == nil {
		f.cache.put(key, v, round)
	}
	return v, err
}

// Reading keeps what several changes would concern from one read.
type Reading struct {
	feed  *Feed
	round uint64
}

// Begin is called before the read.
func (f *Feed) Begin() Reading {
	f.cache.mu.Lock()
	defer f.cache.mu.Unlock()
	return Reading{f, f.cache.round}
}

// Keep keeps one of the values that were read, as Load does.
func (r Reading) Keep(key Change, value any) { r.feed.cache.put(key, value, r.round) }

// Kept gives a copy as Load does, but never reads; ok is false without one.
func Kept[T any](f *Feed, key Change, good func(T) bool) (v T, ok bool) {
	if !f.Fresh() {
		return v, false
	}
	kept, _, found := f.cache.get(key)
	got, typed := kept.(T)
	if !found || !typed || good != nil && !good(got) {
		return v, false
	}
	return got, true
}
