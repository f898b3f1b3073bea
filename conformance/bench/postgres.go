package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mandate-health/mandate/internal/testpg"
)

// statsLag is how long a PostgreSQL backend may keep its counts to itself once
// it is idle, with a margin: after that the commits of a phase are exact.
const statsLag = 10500 * time.Millisecond

// The databases of the two sides, and of the server that only shows its start
// and its sandbox. Counts are kept by database.
const (
	startDB   = "first"
	subjectDB = "mandate"
	floorDB   = "floor"
)

// postgres is a private cluster and what is counted in it.
type postgres struct {
	cluster *testpg.Cluster
	conn    *pgx.Conn
	// subject is a connection to the database of the server that is measured.
	subject *pgx.Conn
	// durability is what the cluster was set to.
	durability map[string]string
}

// durable are the settings without which a commit is not one, and the only
// values that are accepted.
func durable() map[string]string {
	return map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
}

// openPostgres starts a cluster with a database for each side. Errors:
// PostgreSQL is not installed; the durability is relaxed.
func openPostgres(ctx context.Context) (_ *postgres, err error) {
	p := &postgres{}
	if p.cluster, err = testpg.Open(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close(ctx))
		}
	}()
	if p.conn, err = pgx.Connect(ctx, p.cluster.DSN); err != nil {
		return nil, err
	}
	// A checkpoint in the middle of a phase writes whole pages into the log,
	// which would be counted for whoever comes next.
	for _, sql := range []string{
		"CREATE DATABASE " + startDB, "CREATE DATABASE " + subjectDB, "CREATE DATABASE " + floorDB,
		"ALTER SYSTEM SET checkpoint_timeout = '1h'", "ALTER SYSTEM SET max_wal_size = '16GB'", "SELECT pg_reload_conf()",
	} {
		if _, err = p.conn.Exec(ctx, sql); err != nil {
			return nil, err
		}
	}
	if err = p.readDurability(ctx); err != nil {
		return p, err
	}
	dsn, err := p.dsn(subjectDB)
	if err != nil {
		return p, err
	}
	p.subject, err = pgx.Connect(ctx, dsn)
	return p, err
}

func (p *postgres) readDurability(ctx context.Context) error {
	p.durability = map[string]string{}
	for name := range durable() {
		var value string
		if err := p.conn.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
			return err
		}
		p.durability[name] = value
	}
	var overridden int
	if err := p.conn.QueryRow(ctx, "SELECT count(*) FROM pg_db_role_setting").Scan(&overridden); err != nil {
		return err
	}
	if overridden > 0 {
		return errors.New("settings are overridden for a database or a role: the durability is not known")
	}
	return checkDurability(p.durability)
}

// checkDurability refuses settings under which an answered commit can be lost.
func checkDurability(settings map[string]string) error {
	var relaxed []string
	for name, want := range durable() {
		if settings[name] != want {
			relaxed = append(relaxed, fmt.Sprintf("%s = %q", name, settings[name]))
		}
	}
	if len(relaxed) == 0 {
		return nil
	}
	slices.Sort(relaxed)
	return fmt.Errorf("relaxed durability, nothing is measured: %s", strings.Join(relaxed, ", "))
}

// dsn gives the connection URL of a database.
func (p *postgres) dsn(database string) (string, error) {
	u, err := url.Parse(p.cluster.DSN)
	if err != nil {
		return "", err
	}
	u.Path = "/" + database
	return u.String(), nil
}

// wal gives the number of bytes written to the log so far.
func (p *postgres) wal(ctx context.Context) (n int64, err error) {
	err = p.conn.QueryRow(ctx, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").Scan(&n)
	return n, err
}

// writes gives the transactions of the cluster that wrote, so far: each took a
// number, reads take none. It is exact at once.
func (p *postgres) writes(ctx context.Context) (n int64, err error) {
	err = p.conn.QueryRow(ctx, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").Scan(&n)
	return n, err
}

// commits gives the transactions of a database so far, reads included.
func (p *postgres) commits(ctx context.Context, database string) (n int64, err error) {
	err = p.conn.QueryRow(ctx, "SELECT xact_commit FROM pg_stat_database WHERE datname = $1", database).Scan(&n)
	return n, err
}

func (p *postgres) close(ctx context.Context) error {
	var faults []error
	for _, c := range []*pgx.Conn{p.subject, p.conn} {
		if c != nil {
			faults = append(faults, c.Close(ctx))
		}
	}
	return errors.Join(append(faults, p.cluster.Close())...)
}
