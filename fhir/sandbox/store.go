package sandbox

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
	"unique"

	"github.com/mandate-health/mandate/fhir"
)

// version is one version of a resource. It never changes once stored, so it
// may be read without the lock.
type version struct {
	id       string // meta.versionId
	at       int64  // meta.lastUpdated, milliseconds UTC
	method   string // how it came about: POST, PUT, PATCH or DELETE
	body     []byte // nil for a deletion
	from, to int32  // where in body the meta element is, or would go
}

// etag is the version as a weak entity tag (FHIR R4 http.html#versioning).
func (v *version) etag() string { return `W/"` + v.id + `"` }

func (v *version) updated() time.Time { return time.UnixMilli(v.at).UTC() }

// appendJSON appends the resource with the server's meta.versionId and
// meta.lastUpdated; everything else is as it came.
func (v *version) appendJSON(dst []byte) []byte {
	dst = append(dst, v.body[:v.from]...)
	if v.from == v.to {
		dst = append(dst, `,"meta":`...)
	}
	dst = append(append(dst, `{"versionId":"`...), v.id...)
	dst = append(append(dst, `","lastUpdated":"`...), v.updated().Format(instantFormat)...)
	dst = append(dst, '"')
	if v.from < v.to {
		// The meta element was parsed before it was stored.
		meta, err := parseJSON(v.body[v.from:v.to])
		for i := 0; err == nil && i < len(meta.kids); i++ {
			kid := &meta.kids[i]
			if kid.key != "versionId" && kid.key != "lastUpdated" {
				dst = append(append(appendQuoted(append(dst, ','), kid.key), ':'), kid.raw...)
			}
		}
	}
	return append(append(dst, '}'), v.body[v.to:]...)
}

const instantFormat = "2006-01-02T15:04:05.000Z"

// record is one resource with its history.
type record struct {
	typ      *resourceType
	id       string
	key      handle // "Type/id"
	seq      int    // the order of creation, which is the default order
	versions []version
	values   []value // of the current version; nil when deleted
}

func (r *record) current() *version { return &r.versions[len(r.versions)-1] }
func (r *record) deleted() bool     { return r.current().body == nil }

// table holds the records of one type.
type table struct {
	byID map[string]*record
	all  []*record            // in order of creation, with the deleted ones
	refs map[handle][]*record // who refers to that resource, by any parameter
}

// change is one line of the server's history.
type change struct {
	rec     *record
	version int // its place among the record's versions
}

// store is every record in memory. Its methods want the lock to be held; read
// and write take it.
type store struct {
	mu     sync.RWMutex
	cat    *catalogue
	base   string
	now    func() time.Time
	parser *parser // for indexing, under the write lock
	index  indexer
	tables map[string]*table
	log    []change // oldest first
	undo   []func() // how to take back the running change, oldest first
}

func newStore(cfg Config, cat *catalogue) (*store, error) {
	st := &store{
		cat: cat, base: cfg.BaseURL, now: cfg.Now, parser: newParser(),
		index:  indexer{words: newWords(), base: cfg.BaseURL + "/"},
		tables: make(map[string]*table),
	}
	st.parser.reuse = true
	at := cfg.Now().UnixMilli()
	for _, r := range cfg.Seed {
		if err := st.seed(r, at); err != nil {
			return nil, err
		}
		st.undo = st.undo[:0]
	}
	return st, nil
}

// seed stores one initial record under the version it names, else as "1".
func (st *store) seed(r Resource, at int64) error {
	root, err := st.parser.parse(r.JSON)
	if err != nil {
		return fmt.Errorf("sandbox: seed %s/%s: %w", r.Type, r.ID, err)
	}
	if root.get("resourceType").str() != r.Type || root.get("id").str() != r.ID {
		return fmt.Errorf("sandbox: seed %s/%s: resourceType or id differs", r.Type, r.ID)
	}
	typ := st.cat.types[r.Type]
	if typ == nil || !fhir.ValidID(r.ID) {
		return fmt.Errorf("sandbox: seed %s/%s: unknown type or malformed id", r.Type, r.ID)
	}
	if st.find(r.Type, r.ID) != nil {
		return fmt.Errorf("sandbox: seed %s/%s occurs twice", r.Type, r.ID)
	}
	v := version{id: "1", at: at, method: "PUT", body: r.JSON}
	if id := root.get("meta").get("versionId").str(); fhir.ValidID(id) {
		v.id = id
	}
	if s, err := parseDate(root.get("meta").get("lastUpdated").str()); err == nil {
		v.at = s.lo / 1000
	}
	st.append(st.record(typ, r.ID), v, root)
	return nil
}

// read runs f with shared access.
func (st *store) read(f func()) {
	st.mu.RLock()
	defer st.mu.RUnlock()
	f()
}

// write runs f with sole access. When f fails, nothing of it remains.
func (st *store) write(f func() error) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.undo = nil
	err := f()
	if err != nil {
		for _, back := range slices.Backward(st.undo) {
			back()
		}
	}
	st.undo = nil
	return err
}

func (st *store) table(typ string) *table {
	t := st.tables[typ]
	if t == nil {
		t = &table{byID: make(map[string]*record), refs: make(map[handle][]*record)}
		st.tables[typ] = t
	}
	return t
}

// find gives a record, deleted or not, nil when there never was one.
func (st *store) find(typ, id string) *record {
	if t := st.tables[typ]; t != nil {
		return t.byID[id]
	}
	return nil
}

// live gives the records of a type that are not deleted, in order.
func (st *store) live(typ string) []*record {
	var out []*record
	if t := st.tables[typ]; t != nil {
		for _, r := range t.all {
			if !r.deleted() {
				out = append(out, r)
			}
		}
	}
	return out
}

// referring gives the records of a type that refer to any of the targets by
// any parameter, in order.
func (st *store) referring(typ string, targets []handle) []*record {
	t := st.tables[typ]
	if t == nil {
		return nil
	}
	var out []*record
	for _, target := range targets {
		out = append(out, t.refs[target]...)
	}
	return inOrder(out)
}

// inOrder sorts by creation and removes repetitions.
func inOrder(recs []*record) []*record {
	slices.SortFunc(recs, func(a, b *record) int { return cmp.Compare(a.seq, b.seq) })
	return slices.Compact(recs)
}

// record gives the record of that id, a new empty one when there is none.
func (st *store) record(typ *resourceType, id string) *record {
	if r := st.find(typ.name, id); r != nil {
		return r
	}
	return &record{typ: typ, id: id, key: unique.Make(typ.name + "/" + id)}
}

// put stores body as the next version of a record.
func (st *store) put(typ *resourceType, id, method string, body []byte) (*record, error) {
	root, err := st.parser.parse(body)
	if err != nil {
		return nil, err
	}
	rec := st.record(typ, id)
	st.append(rec, version{id: rec.nextVersion(), at: st.now().UnixMilli(), method: method, body: body}, root)
	return rec, nil
}

// remove stores the deletion of a record.
func (st *store) remove(rec *record) {
	st.append(rec, version{id: rec.nextVersion(), at: st.now().UnixMilli(), method: "DELETE"}, nil)
}

func (r *record) nextVersion() string {
	if len(r.versions) == 0 {
		return "1"
	}
	n, err := strconv.Atoi(r.current().id)
	if err != nil {
		n = len(r.versions)
	}
	return strconv.Itoa(n + 1)
}

// append adds a version to a record and brings every index up to date.
func (st *store) append(rec *record, v version, root *node) {
	t, before, isNew := st.table(rec.typ.name), rec.values, len(rec.versions) == 0
	if root != nil {
		v.from, v.to = metaPlace(root)
	}
	st.unlink(t, rec)
	rec.values = nil
	if root != nil {
		rec.values = st.index.values(rec.typ, rec.id, v.at*1000, root)
	}
	rec.versions = append(rec.versions, v)
	st.log = append(st.log, change{rec, len(rec.versions) - 1})
	if isNew {
		rec.seq = len(t.all)
		t.all = append(t.all, rec)
		t.byID[rec.id] = rec
	}
	st.link(t, rec)
	st.undo = append(st.undo, func() {
		st.unlink(t, rec)
		rec.values = before
		st.link(t, rec)
		rec.versions = rec.versions[:len(rec.versions)-1]
		st.log = st.log[:len(st.log)-1]
		if isNew {
			t.all = t.all[:len(t.all)-1]
			delete(t.byID, rec.id)
		}
	})
}

func (st *store) link(t *table, rec *record) {
	for i := range rec.values {
		v := &rec.values[i]
		if rec.typ.params[v.param].kind != kindReference {
			continue
		}
		if list := t.refs[v.a]; len(list) == 0 || list[len(list)-1] != rec {
			t.refs[v.a] = append(list, rec)
		}
	}
}

func (st *store) unlink(t *table, rec *record) {
	for i := range rec.values {
		v := &rec.values[i]
		if rec.typ.params[v.param].kind != kindReference {
			continue
		}
		// A new list: an old one may be in use by a reader's result.
		kept := make([]*record, 0, len(t.refs[v.a]))
		for _, other := range t.refs[v.a] {
			if other != rec {
				kept = append(kept, other)
			}
		}
		if t.refs[v.a] = kept; len(kept) == 0 {
			delete(t.refs, v.a)
		}
	}
}

// metaPlace tells where a resource's meta element is, or, with from = to,
// where one would be inserted: after the id.
func metaPlace(root *node) (from, to int32) {
	m := root.get("meta")
	if m == nil || m.kind != '{' {
		m = root.get("id")
		end := m.pos + int32(len(m.raw))
		return end, end
	}
	return m.pos, m.pos + int32(len(m.raw))
}
