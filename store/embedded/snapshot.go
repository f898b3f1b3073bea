package embedded

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

// The catalogue of SQLite.
const (
	columns = `SELECT m.name, c.name, lower(c.type) FROM sqlite_master m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite@_%' ESCAPE '@' ORDER BY m.name, c.cid`
	references = `SELECT m.name, f."table" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`
)

// Snapshot implements store.Snapshots. A read transaction of WAL mode sees one
// moment; the log grows until it ends.
func (e *Engine) Snapshot(ctx context.Context, fn func(store.Conn) error) error {
	conn, err := e.reader.db.Conn(ctx)
	if err != nil {
		return translate(err)
	}
	defer func() { _ = conn.Close() }() // a read loses nothing
	if _, err := conn.ExecContext(ctx, "BEGIN DEFERRED"); err != nil {
		return translate(err)
	}
	defer func() {
		// Whoever takes the connection next must not read the past; when that
		// fails the connection is closed with it.
		if _, err := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); err != nil {
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
	}()
	return fn(snapshot{conn})
}

// snapshot runs reads in one read transaction.
type snapshot struct{ conn *sql.Conn }

// Exec implements store.Conn: reads only, so every writing statement fails.
func (s snapshot) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	return affected(s.conn.ExecContext(ctx, text, args...))
}

// Later implements store.Conn.
func (s snapshot) Later(bool, string, ...any) error {
	return errs.New(errs.Internal, "transaction-over", "A statement was queued outside of a transaction.")
}

// Query implements store.Conn.
func (s snapshot) Query(ctx context.Context, text string, args ...any) (store.Rows, error) {
	return wrap(s.conn.QueryContext(ctx, text, args...))
}

// QueryRow implements store.Conn.
func (s snapshot) QueryRow(ctx context.Context, text string, args ...any) store.Row {
	return store.First(s.Query(ctx, text, args...))
}
