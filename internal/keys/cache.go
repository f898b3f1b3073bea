package keys

import "sync"

// cacheHalf bounds each half of the cache of data keys. A key takes about one
// kilobyte.
const cacheHalf = 2048

// subjectID names a data key.
type subjectID struct{ tenant, subject string }

// subject is all versions of one data key, made ready.
type subject struct {
	versions []*dataKey // oldest first
}

// byVersion gives a version, nil when it is unknown.
func (s *subject) byVersion(v int) *dataKey {
	for i := len(s.versions) - 1; i >= 0; i-- {
		if s.versions[i].row.Version == v {
			return s.versions[i]
		}
	}
	return nil
}

// Kept is the data keys that one transaction read or made. They are its own
// until the commit: another one that used a key which was then rolled back
// would write what nobody can read. It is not safe for concurrent use.
type Kept struct {
	subjects map[subjectID]*subject
	// generation is that of the cache when the first was read.
	generation uint64
}

func (k *Kept) get(id subjectID) *subject {
	if k == nil {
		return nil
	}
	return k.subjects[id]
}

func (k *Kept) put(id subjectID, s *subject, generation uint64) {
	if k.subjects == nil {
		k.subjects, k.generation = map[subjectID]*subject{}, generation
	}
	k.subjects[id] = s
}

// cache keeps the data keys in use: what was not asked for while a whole half
// filled up is dropped.
type cache struct {
	mu    sync.RWMutex
	young map[subjectID]*subject
	old   map[subjectID]*subject
	// drops counts the droppings, so that what was read before one is not
	// put behind it.
	drops uint64
}

func (c *cache) get(id subjectID) *subject {
	c.mu.RLock()
	s, young := c.young[id]
	if !young {
		s = c.old[id]
	}
	drops := c.drops
	c.mu.RUnlock()
	if s != nil && !young {
		c.put(id, s, drops)
	}
	return s
}

// generation tells puts of what was read before a drop.
func (c *cache) generation() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.drops
}

func (c *cache) put(id subjectID, s *subject, generation uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation != c.drops {
		return
	}
	if c.young == nil || len(c.young) >= cacheHalf {
		c.young, c.old = make(map[subjectID]*subject), c.young
	}
	c.young[id] = s
}

// drop forgets the keys of a tenant.
func (c *cache) drop(tenant string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops++
	for _, half := range []map[subjectID]*subject{c.young, c.old} {
		for id := range half {
			if id.tenant == tenant {
				delete(half, id)
			}
		}
	}
}
