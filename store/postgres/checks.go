package postgres

import (
	"context"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/store"
)

// maxClockSkew is more than well-kept clocks differ.
const maxClockSkew = 2 * time.Second

// Checks ask what a PostgreSQL was told about durability, encryption
// and size.
func (e *Engine) Checks(c clock.Clock) []health.Check {
	return checks(asker{e.Read(), c, e.Pool().Size})
}

// Catalogue lists the checks, for documentation: they cannot be asked.
func Catalogue() []health.Check { return checks(asker{}) }

// asker puts questions to the server.
type asker struct {
	conn  store.Conn
	clock clock.Clock
	// pool is how many connections one server takes.
	pool int64
}

// number reads one number, text one text.
func (a asker) number(ctx context.Context, sql string, args ...any) (n int64, err error) {
	err = a.conn.QueryRow(ctx, sql, args...).Scan(&n)
	return n, err
}

func (a asker) text(ctx context.Context, sql string, args ...any) (text string, err error) {
	err = a.conn.QueryRow(ctx, sql, args...).Scan(&text)
	return text, err
}

// skew compares the clocks.
func (a asker) skew(ctx context.Context) health.Finding {
	before := a.clock.Now()
	there, err := a.number(ctx, "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)")
	if err != nil {
		return store.Unread(err)
	}
	// The answer was made at some moment between asking and now.
	here := before.Add(a.clock.Now().Sub(before) / 2)
	skew := here.Sub(time.UnixMicro(there)).Round(time.Millisecond)
	return health.Want(skew.Abs() <= maxClockSkew, "the clocks differ by %s", skew)
}

// room asks how many connections the server and the role leave to Mandate, -1
// being no limit of the role.
const room = `SELECT CASE WHEN r.rolconnlimit >= 0 AND r.rolconnlimit < m.free THEN r.rolconnlimit ELSE m.free END
	FROM pg_roles r, (SELECT SUM(CASE WHEN name = 'max_connections' THEN CAST(setting AS INTEGER) ELSE -CAST(setting AS INTEGER) END) AS free
		FROM pg_settings WHERE name IN ('max_connections', 'superuser_reserved_connections')) m
	WHERE r.rolname = current_user`

// fits compares the pool of a server, and of two, with the room there is.
func (a asker) fits(ctx context.Context) health.Finding {
	free, err := a.number(ctx, room)
	if err != nil {
		return store.Unread(err)
	}
	switch {
	case a.pool >= free:
		return health.Fail("one server takes up to %d connections; there is room for %d", a.pool, free)
	case 2*a.pool >= free:
		return health.Warn("one server takes up to %d connections; there is room for %d, which two servers and one that migrates would exceed", a.pool, free)
	}
	return health.Good("one server takes up to %d connections; there is room for %d", a.pool, free)
}

// old counts transactions that have been open for long.
func (a asker) old(ctx context.Context) health.Finding {
	n, err := a.number(ctx, "SELECT COUNT(*) FROM pg_stat_activity WHERE xact_start < clock_timestamp() - INTERVAL '5 minutes' AND backend_type = 'client backend'")
	if err != nil {
		return store.Unread(err)
	}
	return health.Wish(n == 0, "%d transactions have been open for over five minutes", n)
}

// long: each row is one question.
func checks(a asker) []health.Check {
	setting := func(id, name, why, remedy string, good ...string) health.Check {
		return health.Check{ID: id, Looks: "PostgreSQL's " + name + ": " + why, Remedy: remedy, Look: func(ctx context.Context) health.Finding {
			is, err := a.text(ctx, "SELECT setting FROM pg_settings WHERE name = $1", name)
			if err != nil {
				return store.Unread(err)
			}
			ok := false
			for _, g := range good {
				ok = ok || is == g
			}
			return health.Want(ok, "%s is %s", name, is)
		}}
	}
	const durable = "what was answered must survive a crash"
	return []health.Check{
		setting("postgres-fsync", "fsync", durable, "set fsync = on", "on"),
		setting("postgres-synchronous-commit", "synchronous_commit", durable, "set synchronous_commit = on, or remote_apply with a synchronous standby", "on", "remote_apply", "remote_write"),
		setting("postgres-full-page-writes", "full_page_writes", durable, "set full_page_writes = on", "on"),
		setting("postgres-autovacuum", "autovacuum", "tables that are never cleaned grow and slow down", "set autovacuum = on", "on"),
		setting("postgres-password-encryption", "password_encryption", "md5 hashes can be used as passwords", "set password_encryption = scram-sha-256 and set the role's password again", "scram-sha-256"),
		setting("postgres-wal-level", "wal_level", "standbys and point-in-time recovery need it", "set wal_level = replica", "replica", "logical"),
		setting("postgres-log-parameters", "log_parameter_max_length_on_error", "statement parameters hold personal data", "set log_parameter_max_length_on_error = 0", "0"),
		setting("postgres-checksums", "data_checksums", "silent faults of a disk are noticed", "run pg_checksums --enable while the server is stopped", "on"),
		{ID: "postgres-log-statement", Looks: "whether PostgreSQL writes statements to its log", Remedy: "set log_statement = ddl or none", Look: func(ctx context.Context) health.Finding {
			is, err := a.text(ctx, "SELECT setting FROM pg_settings WHERE name = 'log_statement'")
			if err != nil {
				return store.Unread(err)
			}
			return health.Wish(is == "none" || is == "ddl", "log_statement is %s", is)
		}},
		{ID: "postgres-tls", Looks: "whether this connection is encrypted", Remedy: "use sslmode=verify-full in the database URL", Look: func(ctx context.Context) health.Finding {
			n, err := a.number(ctx, `SELECT CASE WHEN inet_client_addr() IS NULL THEN 2 WHEN (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) THEN 1 ELSE 0 END`)
			if err != nil {
				return store.Unread(err)
			}
			return health.Want(n > 0, "the connection is %s", []string{"in the clear", "encrypted", "a local socket"}[n])
		}},
		{ID: "postgres-role", Looks: "what the role of the server may do", Remedy: "make a role that owns Mandate's schema and nothing else", Look: func(ctx context.Context) health.Finding {
			n, err := a.number(ctx, "SELECT CASE WHEN rolsuper OR rolbypassrls OR rolcreaterole THEN 1 ELSE 0 END FROM pg_roles WHERE rolname = current_user")
			if err != nil {
				return store.Unread(err)
			}
			return health.Wish(n == 0, "the role %s", []string{"has no power over the whole server", "is a superuser or may make roles"}[n])
		}},
		{ID: "postgres-clock", Looks: "this machine's clock beside the database's", Remedy: "let both follow the same time servers (chrony, systemd-timesyncd)", Look: a.skew},
		{ID: "postgres-version", Looks: "the version of PostgreSQL", Remedy: "upgrade to a version that still gets corrections", Look: func(ctx context.Context) health.Finding {
			text, err := a.text(ctx, "SELECT setting FROM pg_settings WHERE name = 'server_version_num'")
			if err != nil {
				return store.Unread(err)
			}
			n, _ := strconv.Atoi(text)
			return health.Wish(n >= 140000, "server_version_num is %s", text)
		}},
		{ID: "postgres-connections", Looks: "how many connections are left", Remedy: "raise max_connections, lower database_connections, or put a pooler in between", Look: func(ctx context.Context) health.Finding {
			used, err := a.number(ctx, "SELECT 100 * (SELECT COUNT(*) FROM pg_stat_activity WHERE backend_type = 'client backend') / (SELECT CAST(setting AS INTEGER) FROM pg_settings WHERE name = 'max_connections')")
			if err != nil {
				return store.Unread(err)
			}
			return health.Wish(used <= 80, "%d percent of the connections are in use", used)
		}},
		{ID: "postgres-pool", Looks: "whether the connections of the servers fit into max_connections and the role's limit", Remedy: "lower database_connections, or raise max_connections and the role's limit", Look: a.fits},
		{ID: "postgres-long-transactions", Looks: "transactions that have been open for over five minutes", Remedy: "end them: they keep PostgreSQL from cleaning", Look: a.old},
	}
}
