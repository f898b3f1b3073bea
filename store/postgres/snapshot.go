package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/mandate-health/mandate/store"
)

// The catalogue of PostgreSQL, of the schema that statements reach.
const (
	columns = `SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod)
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
			AND a.attnum > 0 AND NOT a.attisdropped
		ORDER BY c.relname, a.attnum`
	references = `SELECT c.relname::text, r.relname::text FROM pg_catalog.pg_constraint k
		JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_class r ON r.oid = k.confrelid
		WHERE k.contype = 'f' AND c.relnamespace = current_schema()::regnamespace`
)

// Snapshot implements store.Snapshots: one REPEATABLE READ, READ ONLY
// transaction without the time limits of requests.
func (e *Engine) Snapshot(ctx context.Context, fn func(store.Conn) error) error {
	pooled, err := e.pool.Acquire(ctx)
	if err != nil {
		return translate(err)
	}
	defer pooled.Release()
	tx, err := pooled.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return translate(err)
	}
	defer func() {
		late, stop := context.WithTimeout(context.WithoutCancel(ctx), e.timeout)
		defer stop()
		if err := tx.Rollback(late); err != nil {
			_ = pooled.Conn().Close(late) // the server undoes nothing but a read
		}
	}()
	for _, set := range []string{"SET LOCAL statement_timeout = 0", "SET LOCAL idle_in_transaction_session_timeout = 0"} {
		if _, err := tx.Exec(ctx, set); err != nil {
			return translate(err)
		}
	}
	return fn(snapshot{tx})
}

// snapshot runs reads in one read-only transaction.
type snapshot struct{ tx pgx.Tx }

// Exec implements store.Conn: the server refuses every writing statement.
func (s snapshot) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	tag, err := s.tx.Exec(ctx, sql, args...)
	return tag.RowsAffected(), translate(err)
}

// Later implements store.Conn.
func (s snapshot) Later(bool, string, ...any) error { return errOver() }

// Query implements store.Conn.
func (s snapshot) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	found, err := s.tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, translate(err)
	}
	return &rows{Rows: found, fail: translate, done: func() {}}, nil
}

// QueryRow implements store.Conn.
func (s snapshot) QueryRow(ctx context.Context, sql string, args ...any) store.Row {
	found, err := s.Query(ctx, sql, args...)
	return store.First(found, err)
}
