package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	// The driver registers itself under the name "sqlite".
	_ "modernc.org/sqlite"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

// Config says where and how.
type Config struct {
	// Dir is the data folder; it is made when absent (mode 0700).
	Dir string
	// Empty removes the store that the folder holds, once the folder is taken.
	Empty bool
	// ReadOnly opens the folder beside the process that has it; there must be
	// a store in it. Nothing can be written.
	ReadOnly bool
	// Readers is the number of read connections; 0 means 4, or one per
	// processor when there are more.
	Readers int
	// BusyTimeout bounds waiting for a lock of another program, such as a
	// backup; 0 means 5 s.
	BusyTimeout time.Duration
}

// Engine is an open data folder.
type Engine struct {
	lock   *os.File
	writer *writer
	write  *sql.DB
	reader *reader
}

var _ store.Engine = (*Engine)(nil)

// Open takes the data folder for this process. Errors: errs.Conflict
// (data-folder-in-use) when another process has it; errs.Unavailable
// (data-folder-unwritable) when it cannot be made or written.
func Open(ctx context.Context, c Config) (*Engine, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, errUnwritable(c.Dir, err)
	}
	if c.ReadOnly {
		return openBeside(ctx, dir, c)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	e := &Engine{lock: lock}
	if c.Empty {
		if err := empty(dir); err != nil {
			return nil, errors.Join(err, e.Close())
		}
	}
	if err := e.open(ctx, dir, c); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Engine) open(ctx context.Context, dir string, c Config) error {
	if c.Readers == 0 {
		c.Readers = max(4, runtime.NumCPU())
	}
	if c.BusyTimeout == 0 {
		c.BusyTimeout = 5 * time.Second
	}
	path := filepath.Join(dir, "mandate.db")
	// SQLite would make a file that everybody can read.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return errUnwritable(dir, err)
	}
	if err := f.Close(); err != nil {
		return errUnwritable(dir, err)
	}
	if e.write, err = sql.Open("sqlite", dsn(path, c.BusyTimeout)); err != nil {
		return translate(err)
	}
	e.write.SetMaxOpenConns(1)
	conn, err := e.write.Conn(ctx)
	if err != nil {
		return errUnwritable(dir, err)
	}
	e.writer = newWriter(conn)
	return e.openReader(ctx, path, c)
}

func (e *Engine) openReader(ctx context.Context, path string, c Config) error {
	db, err := sql.Open("sqlite", dsn(path, c.BusyTimeout)+"&_pragma=query_only(1)")
	if err != nil {
		return translate(err)
	}
	db.SetMaxOpenConns(c.Readers)
	db.SetMaxIdleConns(c.Readers)
	e.reader = &reader{db: db}
	return e.Ping(ctx)
}

// openBeside opens a store for reading that another process may have.
func openBeside(ctx context.Context, dir string, c Config) (*Engine, error) {
	path := filepath.Join(dir, "mandate.db")
	if _, err := os.Stat(path); err != nil {
		return nil, errs.Wrap(err, errs.NotFound, "data-folder-empty", fmt.Sprintf("There is no store in the data folder %s.", dir))
	}
	c.Readers, c.BusyTimeout = 2, 5*time.Second
	e := &Engine{}
	if err := e.openReader(ctx, path, c); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// dsn sets what every connection needs. In WAL mode synchronous=FULL makes
// each commit durable before it is acknowledged.
func dsn(path string, busy time.Duration) string {
	q := url.Values{"_pragma": {
		"busy_timeout(" + strconv.FormatInt(busy.Milliseconds(), 10) + ")",
		"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"cache_size(-16000)", "temp_store(MEMORY)", "journal_size_limit(67108864)",
	}, "_txlock": {"immediate"}}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// InTx implements store.Engine.
func (e *Engine) InTx(ctx context.Context, fn func(store.Conn) error) error {
	if e.writer == nil {
		return errs.New(errs.Unavailable, "store-read-only", "The data folder was opened for reading only.")
	}
	return e.writer.do(ctx, fn)
}

// Read implements store.Engine.
func (e *Engine) Read() store.Conn { return e.reader }

// Commits gives the number of commits since Open: fewer than transactions when
// these shared some.
func (e *Engine) Commits() int64 { return e.writer.commits.Load() }

// Ping implements store.Engine.
func (e *Engine) Ping(ctx context.Context) error {
	var one int
	return e.reader.QueryRow(ctx, "SELECT 1").Scan(&one)
}

// Dialect implements store.Engine. The one writer needs no locks.
func (e *Engine) Dialect() store.Dialect {
	return store.Dialect{
		Name:      "sqlite",
		HasTable:  "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1",
		AsOf:      "SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
		Integrity: "PRAGMA integrity_check",
		Now:       "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
		Columns:   columns, References: references,
	}
}

// Close implements store.Engine. The folder is free afterwards.
func (e *Engine) Close() error {
	var all []error
	if e.writer != nil {
		all = append(all, e.writer.close())
	}
	if e.reader != nil {
		all = append(all, e.reader.close())
	}
	if e.write != nil {
		all = append(all, e.write.Close())
	}
	if e.lock != nil {
		all = append(all, e.lock.Close())
	}
	return errors.Join(all...)
}

func errUnwritable(dir string, cause error) error {
	return errs.Wrap(cause, errs.Unavailable, "data-folder-unwritable", fmt.Sprintf(
		"The data folder %s cannot be written; give it to the user that runs Mandate or choose another one.", dir))
}
