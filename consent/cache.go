package consent

import (
	"container/list"
	"sync"
)

// cache keeps the compiled policies of the patients asked for last. It is
// bounded by number; whether an entry is current is told by its epoch.
type cache struct {
	mu    sync.Mutex
	limit int
	order *list.List
	byKey map[cacheKey]*list.Element
}

type cacheKey struct{ tenant, patient string }

type cacheEntry struct {
	key    cacheKey
	policy *Policy
}

func newCache(limit int) *cache {
	return &cache{limit: limit, order: list.New(), byKey: map[cacheKey]*list.Element{}}
}

// get gives the policy when it was compiled from this epoch.
func (c *cache) get(key cacheKey, epoch int64) *Policy {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return nil
	}
	entry, ok := e.Value.(cacheEntry)
	if !ok || entry.policy.epoch != epoch {
		return nil
	}
	c.order.MoveToFront(e)
	return entry.policy
}

func (c *cache) put(key cacheKey, p *Policy) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[key]; ok {
		e.Value = cacheEntry{key, p}
		c.order.MoveToFront(e)
		return
	}
	c.byKey[key] = c.order.PushFront(cacheEntry{key, p})
	for c.order.Len() > c.limit {
		last := c.order.Back()
		if entry, ok := c.order.Remove(last).(cacheEntry); ok {
			delete(c.byKey, entry.key)
		}
	}
}
