package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

// Options say how to reach the database.
type Options struct {
	// DSN is a connection URL or keyword string of libpq. It may name several
	// hosts; Mandate uses the one that takes writes unless the DSN says
	// otherwise (target_session_attrs).
	DSN string
	// Schema is put first in the search path; empty leaves the path of the
	// role. It must exist. Not together with Pooler.
	Schema string
	// MaxConns bounds the pool; 0 means 8, or four per processor when that is
	// more.
	MaxConns int
	// Timeout bounds one transaction or read, with the wait for a
	// connection; 0 means 10 s. The server is told the same for each
	// statement.
	Timeout time.Duration
	// Pooler is for a transaction pooler in between (PgBouncer): no named
	// statements, no session settings.
	Pooler bool
	// Replica is for reading only: any of the hosts will do, and none need
	// answer yet.
	Replica bool
	// Unverified allows a host on the network without verified TLS.
	Unverified bool
}

// Engine is a pool of connections to one database.
type Engine struct {
	pool    *pgxpool.Pool
	timeout time.Duration
	// begin are the statements that begin a transaction; alone says that a
	// single statement needs none of them.
	begin []string
	alone bool
	// musts are the texts of Later's statements that must touch a row.
	musts   sync.Map
	waiters *waiters
	// listens is false behind a transaction pooler.
	listens bool
}

var _ store.Engine = (*Engine)(nil)

// Open connects and checks that the database answers. Errors: errs.Invalid
// (store-options) for a DSN that cannot be read; errs.Unavailable.
func Open(ctx context.Context, o Options) (*Engine, error) {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	config, err := poolConfig(o)
	if err != nil {
		return nil, err
	}
	first, err := begin(config)
	if err != nil {
		return nil, err
	}
	w := &waiters{}
	w.watch(config)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, translate(err)
	}
	e := &Engine{pool: pool, timeout: o.Timeout, begin: []string{first}, alone: true, listens: !o.Pooler, waiters: w}
	if o.Pooler {
		limit := strconv.FormatInt(o.Timeout.Milliseconds(), 10)
		e.alone = false
		e.begin = append(e.begin, "set local statement_timeout = "+limit,
			"set local idle_in_transaction_session_timeout = "+limit)
	}
	if o.Replica {
		// Nothing waits for it: it is asked when it is needed.
		return e, nil
	}
	if err := e.Ping(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return e, nil
}

// isolation is the parameter of a DSN that asks for another level than READ
// COMMITTED.
const isolation = "default_transaction_isolation"

// begin gives what begins a transaction, and takes the level out of the
// settings of sessions: a single statement needs none, and one that SERIALIZABLE
// ends outside of a transaction nobody would run again.
func begin(config *pgxpool.Config) (string, error) {
	params := config.ConnConfig.RuntimeParams
	level := strings.ToLower(params[isolation])
	delete(params, isolation)
	switch level {
	case "":
		level = "read committed"
	case "read committed", "repeatable read", "serializable":
	default:
		return "", errs.New(errs.Invalid, "store-options", "The database URL asks for an isolation level that is not read committed, repeatable read or serializable.")
	}
	return "begin isolation level " + level, nil
}

func poolConfig(o Options) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(o.DSN)
	if err != nil {
		// The text of err may hold the password.
		return nil, errs.New(errs.Invalid, "store-options", "The database URL cannot be read.")
	}
	if host := unverified(config.ConnConfig); host != "" && !o.Unverified {
		return nil, errs.New(errs.Invalid, "database-plaintext", fmt.Sprintf(
			"The connection to the database host %s would not be verified: say sslmode=verify-full in the URL,"+
				" and sslrootcert=FILE unless a public authority signed its certificate.", host))
	}
	if o.Pooler && o.Schema != "" {
		return nil, errs.New(errs.Invalid, "store-options",
			"Behind a transaction pooler the schema must be the default of the role (ALTER ROLE … SET search_path).")
	}
	config.MaxConns = int32(o.MaxConns)
	if o.MaxConns == 0 {
		config.MaxConns = int32(max(8, 4*runtime.NumCPU()))
	}
	c := config.ConnConfig
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	if c.ValidateConnect == nil && len(c.Fallbacks) > 0 && !o.Replica {
		c.ValidateConnect = writable
	}
	if o.Pooler {
		c.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		return config, nil
	}
	set := func(name, value string) {
		if c.RuntimeParams[name] == "" {
			c.RuntimeParams[name] = value
		}
	}
	limit := strconv.FormatInt(o.Timeout.Milliseconds(), 10)
	set("application_name", "mandate")
	set("statement_timeout", limit)
	set("idle_in_transaction_session_timeout", limit)
	if c.RuntimeParams[joinLimit] == "" {
		config.AfterConnect = joinAsWritten
	}
	if o.Schema != "" {
		c.RuntimeParams["search_path"] = pgx.Identifier{o.Schema}.Sanitize()
	}
	return config, nil
}

// joinLimit is the setting that says for how many tables PostgreSQL looks for an
// order of joining them.
const joinLimit = "join_collapse_limit"

// joinAsWritten lets a connection join tables in the order of the statement. Each
// is joined by its key, so that the order that is written is the right one, and
// looking for a better one took half of the time of planning. To keep one plan for
// all values would save more, but one that was made while a table was small reads
// all of it. Engines that lack the setting plan as they do.
func joinAsWritten(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, "SET "+joinLimit+" = 1")
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return nil
	}
	return err
}

// InTx implements store.Engine. A connection is held from the first statement
// that is answered to the end.
func (e *Engine) InTx(ctx context.Context, fn func(store.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	c := &txConn{engine: e}
	defer c.release(ctx)
	if err := fn(c); err != nil {
		return err
	}
	return c.commit(ctx)
}

// Read implements store.Engine.
func (e *Engine) Read() store.Conn { return &reader{pool: e.pool, timeout: e.timeout} }

// Ping implements store.Engine.
func (e *Engine) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	return translate(e.pool.Ping(ctx))
}

// Dialect implements store.Engine.
func (e *Engine) Dialect() store.Dialect {
	d := store.Dialect{
		Name:     "postgres",
		HasTable: "SELECT COUNT(*) FROM pg_catalog.pg_class WHERE oid = to_regclass($1)",
		AsOf: "SELECT CAST(EXTRACT(EPOCH FROM CASE WHEN pg_is_in_recovery() THEN COALESCE(pg_last_xact_replay_timestamp(), to_timestamp(0))" +
			" ELSE clock_timestamp() END) * 1000000 AS BIGINT)",
		BeforeMigration: []string{
			"LOCK TABLE schema_migration IN EXCLUSIVE MODE",
			// A change of a table waits for the transactions that use it, and
			// all later ones wait for the change: it gives up and comes back.
			"SET LOCAL lock_timeout = '2s'",
		},
		SkipLocked: " FOR UPDATE SKIP LOCKED",
		Now:        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
		Columns:    columns,
		References: references,
	}
	if e.listens {
		d.Notify = "SELECT pg_notify('" + channel + "', '')"
	}
	return d
}

// Close implements store.Engine.
func (e *Engine) Close() error {
	e.pool.Close()
	return nil
}
