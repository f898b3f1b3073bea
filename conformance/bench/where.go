package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/jackc/pgx/v5"
)

// whereQuery adds up the records of the log between two places by what they
// were written for: a table or an index, and the kind of record. Padding and
// page headers are not in it.
const whereQuery = `SELECT COALESCE((regexp_match(block_ref, 'rel [0-9]+/[0-9]+/([0-9]+)'))[1], '') AS file,
		resource_manager || ' ' || record_type AS kind, count(*), sum(record_length - fpi_length)::bigint, sum(fpi_length)::bigint
	FROM pg_get_wal_records_info($1::text::pg_lsn, $2::text::pg_lsn) GROUP BY 1, 2 ORDER BY 4 DESC, 1, 2`

// whereShown is the least number of bytes per request that is worth a line.
const whereShown = 1

// place gives where the log ends.
func (p *postgres) place(ctx context.Context) (lsn string, err error) {
	err = p.conn.QueryRow(ctx, "SELECT pg_current_wal_flush_lsn()::text").Scan(&lsn)
	return lsn, err
}

// where writes which tables and indexes the bytes of the log between two places
// went to, per request: records, bytes, and bytes of whole pages.
func (p *postgres) where(ctx context.Context, w io.Writer, from, to string, requests int) (err error) {
	names, err := p.files(ctx)
	if err != nil {
		return err
	}
	if _, err := p.conn.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS pg_walinspect"); err != nil {
		return err
	}
	rows, err := p.conn.Query(ctx, whereQuery, from, to)
	if err != nil {
		return err
	}
	defer rows.Close()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "records\tbytes\twhole pages\tof\t")
	for rows.Next() {
		var file, kind string
		var records, bytes, pages int64
		if err := rows.Scan(&file, &kind, &records, &bytes, &pages); err != nil {
			return err
		}
		n := float64(max(requests, 1))
		if float64(bytes+pages)/n >= whereShown {
			fmt.Fprintf(t, "%.2f\t%.0f\t%.0f\t%s %s\t\n", float64(records)/n, float64(bytes)/n, float64(pages)/n, names[file], kind)
		}
	}
	return errors.Join(rows.Err(), t.Flush())
}

// files gives the names of the server's tables and indexes by the number of
// their file.
func (p *postgres) files(ctx context.Context) (names map[string]string, err error) {
	dsn, err := p.dsn(subjectDB)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	rows, err := conn.Query(ctx, "SELECT pg_relation_filenode(oid)::text, relname FROM pg_class WHERE pg_relation_filenode(oid) IS NOT NULL")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names = map[string]string{}
	for rows.Next() {
		var file, name string
		if err := rows.Scan(&file, &name); err != nil {
			return nil, err
		}
		names[file] = name
	}
	return names, rows.Err()
}
