package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// loadBatch is how many rows one statement puts in.
	loadBatch = 100_000
	// liveFor is for how long live rows are good; expiredAge is for how long
	// expired ones have been over: more than anything is kept.
	liveFor    = 90 * 24 * time.Hour
	expiredAge = 40 * 24 * time.Hour
)

// loader puts rows into the store of a running server by SQL. Each is a copy of
// one that the server wrote itself, under a key of its own, so that it follows
// the tables as they are.
type loader struct {
	conn *pgx.Conn
	next int
}

// loader connects to a database.
func (p *postgres) loader(ctx context.Context, database string) (*loader, error) {
	dsn, err := p.dsn(database)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, dsn)
	return &loader{conn: conn}, err
}

func (l *loader) close(ctx context.Context) { _ = l.conn.Close(ctx) }

// shape says how copies of a table's row differ from one another.
type shape struct {
	// random are columns that get a value of their own.
	random []string
	// ends is the column by which rows expire, begins the time of issue.
	ends, begins string
}

// shapes of the tables that grow.
func shapes() map[string]shape {
	return map[string]shape{
		"app_grant":      {random: []string{"id", "person_id", "patient", "consent_id"}, ends: "ends", begins: "created"},
		"refresh_chain":  {random: []string{"grant_id"}, ends: "expires", begins: "issued"},
		"used_assertion": {random: []string{"guard"}, ends: "expires"},
	}
}

// rows puts n copies into a table; ago is for how long they have been over, 0
// makes them live.
func (l *loader) rows(ctx context.Context, table string, n int, ago time.Duration) error {
	sql, err := l.statement(ctx, table, ago)
	if err != nil {
		return err
	}
	for n > 0 {
		batch := min(n, loadBatch)
		tag, err := l.conn.Exec(ctx, sql, l.next, l.next+batch-1)
		if err != nil {
			return fmt.Errorf("rows for %s: %w", table, err)
		}
		if tag.RowsAffected() != int64(batch) {
			return fmt.Errorf("%s has no row to be copied", table)
		}
		l.next, n = l.next+batch, n-batch
	}
	return nil
}

// statement writes the INSERT for a table from its columns as they are.
func (l *loader) statement(ctx context.Context, table string, ago time.Duration) (string, error) {
	s, known := shapes()[table]
	if !known {
		return "", fmt.Errorf("no shape for %s", table)
	}
	rows, err := l.conn.Query(ctx, `SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
		WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, table)
	if err != nil {
		return "", err
	}
	type column struct{ Name, Type string }
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
	if err != nil {
		return "", err
	}
	ends := liveFor
	if ago > 0 {
		ends = -ago
	}
	var names, values []string
	for _, c := range columns {
		value := "o." + c.Name
		for at, name := range s.random {
			if c.Name == name {
				value = randomAs(c.Name, c.Type, at)
			}
		}
		switch c.Name {
		case s.ends:
			value = moment(c.Type, ends)
		case s.begins:
			value = moment(c.Type, ends-liveFor)
		}
		names, values = append(names, c.Name), append(values, value)
	}
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM (SELECT * FROM %s ORDER BY %s DESC LIMIT 1) o, generate_series($1::bigint, $2::bigint) i",
		table, strings.Join(names, ", "), strings.Join(values, ", "), table, s.ends), nil
}

// randomAs gives a value that depends on the number i and looks like what stands
// in such a column: as long as it, and in the same characters.
func randomAs(name, kind string, salt int) string {
	seed := fmt.Sprintf("'%s-%d-' || i", "bench", salt)
	digest := "sha256((" + seed + ")::bytea)"
	switch kind {
	case "bytea":
		return "substr(" + digest + ", 1, greatest(octet_length(o." + name + "), 16))"
	case "uuid":
		return "md5(" + seed + ")::uuid"
	case "int8", "int4":
		return "i"
	}
	// Base64url as keyed hashes are, hexadecimal as ids are.
	return "CASE WHEN length(o." + name + ") > 40 THEN translate(rtrim(encode(" + digest + ", 'base64'), '='), '+/', '-_') ELSE md5(" + seed + ") END"
}

// moment gives a time from now, a millisecond later for each row: what is
// written later ends later, so that it lies together for who cleans.
func moment(kind string, from time.Duration) string {
	micros := fmt.Sprintf("((extract(epoch FROM now()) * 1000000)::bigint + (%d)::bigint + i * 1000)", from.Microseconds())
	if kind == "timestamptz" {
		return "to_timestamp(" + micros + " / 1000000.0)"
	}
	return micros
}

// size gives the bytes of a table with its indexes.
func (l *loader) size(ctx context.Context, table string) (n int64, err error) {
	err = l.conn.QueryRow(ctx, "SELECT pg_total_relation_size($1::regclass)", table).Scan(&n)
	return n, err
}

// analyze lets the planner know the tables, as PostgreSQL does by itself a
// little later.
func (l *loader) analyze(ctx context.Context) error {
	for table := range shapes() {
		if _, err := l.conn.Exec(ctx, "VACUUM (ANALYZE) "+table); err != nil {
			return err
		}
	}
	return nil
}

// deleted gives how many rows of the tables that expire were deleted so far. It
// is up to a second late.
func (l *loader) deleted(ctx context.Context) (n int64, err error) {
	err = l.conn.QueryRow(ctx, "SELECT coalesce(sum(n_tup_del), 0)::bigint FROM pg_stat_user_tables WHERE relname IN ('used_assertion', 'refresh_chain')").Scan(&n)
	return n, err
}
