package store

import (
	"context"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/watch"
)

// keepChanges is how long a change stays for nodes that were cut off; one that
// was cut off for longer drops all its copies anyway.
const keepChanges = time.Hour

// changed notes in the transaction under way that copies of a thing are old,
// for this node at its commit and for the others at their next poll.
func (p *ports) changed(ctx context.Context, c watch.Change) error {
	p.changedHere(c)
	err := p.write(ctx, `INSERT INTO change (id, tenant, kind, key, at) VALUES ($1, $2, $3, $4, `+p.dialect.Now+`)`,
		p.ids.ID(), c.Tenant, string(c.Kind), c.Key)
	if err != nil || p.dialect.Notify == "" {
		return err
	}
	return p.write(ctx, p.dialect.Notify)
}

// changedHere is changed for what other nodes find out by looking again, such
// as a later end.
func (p *ports) changedHere(c watch.Change) { p.changes = append(p.changes, c) }

// alter runs a writing statement and notes the change in one transaction. won
// is false, and nothing noted, when no row was touched.
func (p *ports) alter(ctx context.Context, c watch.Change, sql string, args ...any) (won bool, err error) {
	err = p.atomic(ctx, func(tx *ports) error {
		if won, err = tx.won(ctx, sql, args...); err != nil || !won {
			return err
		}
		return tx.changed(ctx, c)
	})
	return won, err
}

// Changes implements watch.Store.
func (s *Store) Changes(ctx context.Context, back time.Duration) ([]watch.Entry, error) {
	return list(ctx, s.ports, func(r Row) (e watch.Entry, err error) {
		err = r.Scan(&e.ID, &e.Tenant, &e.Kind, &e.Key)
		return e, err
	}, `SELECT id, tenant, kind, key FROM change WHERE at >= `+s.dialect.Now+` - $1 LIMIT $2`,
		back.Microseconds(), watch.MaxEntries+1)
}

// listener is an engine that can tell of changes by itself.
type listener interface {
	Listen(ctx context.Context, heard func()) error
}

// Listen implements watch.Store.
func (s *Store) Listen(ctx context.Context, heard func()) error {
	if l, ok := s.engine.(listener); ok && s.dialect.Notify != "" {
		return l.Listen(ctx, heard)
	}
	return errs.New(errs.NotSupported, "store-silent", "This store tells nothing by itself.")
}

// OnCommit implements watch.Store.
func (s *Store) OnCommit(told func([]watch.Change)) { s.told.add(told) }

// forgetChanges deletes changes that every node has seen, by the database's
// clock: a node with a wrong one must not hide a revocation.
func (s *Store) forgetChanges(ctx context.Context) (int64, error) {
	return s.exec(ctx, `DELETE FROM change WHERE at < `+s.dialect.Now+` - $1`, keepChanges.Microseconds())
}

// tellers are those who want to know what this process committed.
type tellers[T any] struct {
	mu  sync.RWMutex
	all []func([]T)
}

func (t *tellers[T]) add(told func([]T)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, told)
}

func (t *tellers[T]) tell(news []T) {
	if len(news) == 0 {
		return
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, told := range t.all {
		told(news)
	}
}
