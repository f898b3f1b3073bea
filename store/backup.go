package store

import (
	"context"
	"strings"

	"github.com/mandate-health/mandate/internal/backup"
	"github.com/mandate-health/mandate/internal/journal"
)

// Engine gives the name of the engine below: "sqlite" or "postgres".
func (s *Store) Engine() string { return s.dialect.Name }

// Dump writes every table as of one moment, row by row: what is sealed stays
// sealed. The form is the same for all engines. Errors: errs.Unavailable;
// those of the writer.
func (s *Store) Dump(ctx context.Context, w *backup.Writer) error {
	return s.engine.Snapshot(ctx, func(c Conn) error {
		p := &ports{conn: c, sealer: s.sealer, ids: s.ids, clock: s.clock, dialect: s.dialect}
		tables, err := p.tables(ctx)
		if err != nil {
			return err
		}
		m := backup.Manifest{}
		m.Schema, err = list(ctx, p, scanInt, `SELECT version FROM schema_migration ORDER BY version`)
		if err != nil {
			return err
		}
		if m.Journal, err = p.segments(ctx); err != nil {
			return err
		}
		if err := w.Begin(m); err != nil {
			return err
		}
		for _, t := range tables {
			if err := p.dump(ctx, w, t); err != nil {
				return err
			}
		}
		return nil
	})
}

// segments gives how far the journal had come as the store knows.
func (p *ports) segments(ctx context.Context) ([]journal.Head, error) {
	return list(ctx, p, func(r Row) (h journal.Head, err error) {
		err = r.Scan(&h.Segment, &h.Line, &h.Sum, into(&h.At))
		return h, err
	}, `SELECT segment, line, sum, at FROM revocation_segment ORDER BY segment`)
}

// dump writes one table.
func (p *ports) dump(ctx context.Context, w *backup.Writer, t backup.Table) error {
	if err := w.Table(t); err != nil {
		return err
	}
	rows, err := p.conn.Query(ctx, `SELECT `+names(t)+` FROM `+quoted(t.Name))
	if err != nil {
		return err
	}
	defer rows.Close()
	values, dest := make([]any, len(t.Columns)), make([]any, len(t.Columns))
	for i := range values {
		dest[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		for i, c := range t.Columns {
			values[i] = portable(values[i], c.Kind)
		}
		if err := w.Row(values); err != nil {
			return err
		}
	}
	return rows.Err()
}

// names lists the columns of a table for a statement.
func names(t backup.Table) string {
	all := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		all[i] = quoted(c.Name)
	}
	return strings.Join(all, ", ")
}

// quoted keeps a name of the catalogue from being read as anything else.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// portable gives the value of a column as every engine gives it.
func portable(v any, k backup.Kind) any {
	switch v := v.(type) {
	case int32:
		return int64(v)
	case int64:
		if k == backup.Boolean {
			return v != 0
		}
	case string:
		if k == backup.Bytes {
			return []byte(v)
		}
	case []byte:
		switch {
		case k == backup.Text:
			return string(v)
		case v == nil:
			return []byte{}
		}
	}
	return v
}
