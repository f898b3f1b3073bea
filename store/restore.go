package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/internal/backup"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/oauth"
)

// Restored says which backup a store came from.
type Restored struct {
	ID string
	// Backup is the id of the backup, Taken when it was made.
	Backup string
	Taken  time.Time
	Loaded time.Time
	// Finished is zero until everything that was revoked since is revoked
	// again; such a store must not be served.
	Finished time.Time
	// Opens is when requests may be answered: what works once and was used
	// before the loss has ended by then.
	Opens time.Time
}

// Restored gives the newest restore into this store. Errors: errs.NotFound
// when it was never restored; errs.Unavailable.
func (p *ports) Restored(ctx context.Context) (Restored, error) {
	return one(ctx, p, "restore", func(r Row) (v Restored, err error) {
		err = r.Scan(&v.ID, &v.Backup, into(&v.Taken), into(&v.Loaded), into(&v.Finished), into(&v.Opens))
		return v, err
	}, `SELECT id, backup, taken, loaded, finished, opens FROM restore ORDER BY loaded DESC LIMIT 1`)
}

// Load fills an empty store with a backup that was verified before, in one
// transaction, and brings its tables to the newest version. read must give the
// backup from its beginning each time. A store that this very backup was
// loaded into before is left as it is, so that a restore that was killed goes
// on. Errors: errs.Conflict (store-not-empty, store-newer); errs.Invalid
// (backup-schema); errs.Unavailable; those of read.
func (s *Store) Load(ctx context.Context, h backup.Header, m backup.Manifest, read func(backup.Visitor) error) error {
	if v, err := s.Restored(ctx); err == nil && v.Backup == h.ID && v.Finished.IsZero() {
		return s.Migrate(ctx)
	}
	if err := s.empty(ctx); err != nil {
		return err
	}
	if err := s.MigrateDown(ctx, 0, nil); err != nil {
		return err
	}
	if err := s.migrateTo(ctx, m.Schema); err != nil {
		return err
	}
	err := s.inTx(ctx, func(p *ports) error {
		// A whole store does not fit into one round trip.
		p.eager = true
		known, err := p.tables(ctx)
		if err != nil {
			return err
		}
		if err := read(&loader{ctx: ctx, ports: p, known: known}); err != nil {
			return err
		}
		return p.write(ctx, `INSERT INTO restore (id, backup, taken, loaded, finished, opens) VALUES ($1, $2, $3, $4, 0, 0)`,
			p.ids.ID(), h.ID, micros(h.Taken), micros(p.clock.Now()))
	})
	if err != nil {
		return err
	}
	return s.Migrate(ctx)
}

// empty refuses a store with a row in any table. One that was never migrated
// has no tables.
func (s *Store) empty(ctx context.Context) error {
	tables, err := s.tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		n, err := one(ctx, s.ports, "row", scanInt, `SELECT COUNT(*) FROM (SELECT 1 FROM `+quoted(t.Name)+` LIMIT 1) one`)
		if err != nil {
			return err
		}
		if n > 0 {
			return errs.New(errs.Conflict, "store-not-empty",
				"The store to restore into holds data already. Give a new folder, or a new database or schema: a restore never overwrites anything.")
		}
	}
	return nil
}

// migrateTo applies exactly the given migrations to an empty store.
func (s *Store) migrateTo(ctx context.Context, schema []int64) error {
	all, err := readMigrations(s.migrations)
	if err != nil {
		return err
	}
	for _, version := range schema {
		if !slices.ContainsFunc(all, func(m Migration) bool { return m.Version == version }) {
			return errs.New(errs.Conflict, "store-newer", fmt.Sprintf(
				"The backup has migration %04d, which this program does not know. Restore it with the version that made it, or a newer one.", version))
		}
	}
	return s.migrate(ctx, func(all []Migration) (Migration, string, bool) {
		for _, m := range all {
			if m.Applied.IsZero() && slices.Contains(schema, m.Version) {
				return m, m.up, true
			}
		}
		return Migration{}, "", false
	}, nil)
}

// How many values one statement inserts at most. SQLite looks each one up by its
// name among the others; PostgreSQL answers each statement over the network.
const (
	loadValues        = 100
	loadValuesNetwork = 4000
)

// loader inserts the rows of a backup (backup.Visitor).
type loader struct {
	ctx   context.Context
	ports *ports
	known []backup.Table
	table backup.Table
	// batch is how many rows of this table one statement inserts.
	batch int
	rows  int
	args  []any
}

// Begin implements backup.Visitor.
func (l *loader) Begin(backup.Manifest) error { return nil }

// Table implements backup.Visitor. The columns may be in another order.
func (l *loader) Table(t backup.Table) error {
	i := slices.IndexFunc(l.known, func(k backup.Table) bool { return k.Name == t.Name })
	if i < 0 || len(l.known[i].Columns) != len(t.Columns) {
		return errSchema(t.Name)
	}
	for _, c := range t.Columns {
		if !slices.Contains(l.known[i].Columns, c) {
			return errSchema(t.Name)
		}
	}
	l.table, l.rows, l.args, l.batch = t, 0, l.args[:0], loadValues
	if l.ports.dialect.Name == "postgres" {
		l.batch = loadValuesNetwork
	}
	l.batch = max(1, l.batch/len(t.Columns))
	return nil
}

func errSchema(table string) error {
	return errs.New(errs.Invalid, "backup-schema", fmt.Sprintf(
		"The table %s of the backup is not as its migrations make it here. Was the database changed by hand?", table))
}

// Row implements backup.Visitor.
func (l *loader) Row(values []any) error {
	l.rows++
	l.args = append(l.args, values...)
	if l.rows < l.batch {
		return nil
	}
	return l.flush()
}

// End implements backup.Visitor.
func (l *loader) End(int64) error { return l.flush() }

func (l *loader) flush() error {
	if l.rows == 0 {
		return nil
	}
	err := l.ports.write(l.ctx, insertRows(l.table, l.rows), l.args...)
	l.rows, l.args = 0, l.args[:0]
	return err
}

// insertRows gives the statement for a number of rows.
func insertRows(t backup.Table, rows int) string {
	var b strings.Builder
	b.WriteString(`INSERT INTO ` + quoted(t.Name) + ` (` + names(t) + `) VALUES `)
	for i := range rows * len(t.Columns) {
		switch {
		case i == 0:
			b.WriteString("($1")
		case i%len(t.Columns) == 0:
			b.WriteString("), ($" + strconv.Itoa(i+1))
		default:
			b.WriteString(", $" + strconv.Itoa(i+1))
		}
	}
	return b.String() + ")"
}

// epochLeap is by how much a restore raises epochs: more than they can have
// grown between the backup and the loss.
const epochLeap = 1 << 32

// Disarm ends what a restored store cannot know to be unused: authorization
// codes, launches, requests pushed or under way and refresh tokens, which may have been
// redeemed after the backup; ways back into accounts, which may have been stopped;
// and, by the epochs of clients and patients, each
// access token and each decision that is kept somewhere. With everything it
// also ends every grant and every log-in. Errors: errs.Unavailable.
func (s *Store) Disarm(ctx context.Context, everything bool) error {
	now := micros(s.clock.Now())
	return s.inTx(ctx, func(p *ports) error {
		for _, table := range []string{"auth_code", "launch", "pending", "pushed_request", "refresh_token", "refresh_chain", "account_recovery"} {
			if err := p.write(ctx, `DELETE FROM `+table); err != nil {
				return err
			}
		}
		for _, table := range []string{"client", "consent_epoch"} {
			if err := p.write(ctx, `UPDATE `+table+` SET epoch = epoch + $1`, int64(epochLeap)); err != nil {
				return err
			}
		}
		if err := p.write(ctx, `UPDATE app_grant SET code = $1 WHERE SUBSTR(code, 1, 1) = $2`, []byte{}, []byte{codeUnused}); err != nil {
			return err
		}
		if !everything {
			return nil
		}
		err := p.write(ctx, `UPDATE app_grant SET revoked = $1, reason = $2 WHERE revoked = 0`, now, "restored-without-journal")
		if err != nil {
			return err
		}
		return p.write(ctx, `UPDATE login_session SET ended = $1 WHERE ended = 0`, now)
	})
}

// FinishRestore lets the store be served from opens on. heads are how far the
// journal was replayed: later backups hold that much of it. Errors:
// errs.Unavailable.
func (s *Store) FinishRestore(ctx context.Context, id string, opens time.Time, heads []journal.Head) error {
	return s.inTx(ctx, func(p *ports) error {
		if err := p.write(ctx, `DELETE FROM revocation_segment`); err != nil {
			return err
		}
		for _, h := range heads {
			if err := p.noteHead(ctx, h); err != nil {
				return err
			}
		}
		return p.write(ctx, `UPDATE restore SET finished = $2, opens = $3 WHERE id = $1`, id, micros(p.clock.Now()), micros(opens))
	})
}

// Revocations gives the ids of the revocations that the store still knows one
// by one. Errors: errs.Unavailable.
func (s *Store) Revocations(ctx context.Context) (map[string]bool, error) {
	all, err := list(ctx, s.ports, scanText, `SELECT id FROM revocation`)
	out := map[string]bool{}
	for _, id := range all {
		out[id] = true
	}
	return out, err
}

// RevokedGrants gives the grants of a tenant that were revoked last. Errors:
// errs.Unavailable.
func (s *Store) RevokedGrants(ctx context.Context, tenant string, limit int) ([]oauth.Grant, error) {
	ids, err := list(ctx, s.ports, scanText, `SELECT id FROM app_grant
		WHERE tenant = $1 AND revoked <> 0 ORDER BY revoked DESC LIMIT $2`, tenant, limit)
	var out []oauth.Grant
	for _, id := range ids {
		g, e := s.GrantByID(ctx, tenant, id)
		if err == nil {
			err = e
		}
		out = append(out, g)
	}
	return out, err
}

// ConsentKey names one Consent.
type ConsentKey struct{ Tenant, ID string }

// LiveConsents gives the active Consents of some kinds, of all tenants. Errors:
// errs.Unavailable.
func (s *Store) LiveConsents(ctx context.Context, kinds ...consent.Kind) ([]ConsentKey, error) {
	var out []ConsentKey
	for _, kind := range kinds {
		all, err := list(ctx, s.ports, func(r Row) (v ConsentKey, err error) {
			err = r.Scan(&v.Tenant, &v.ID)
			return v, err
		}, `SELECT tenant, id FROM consent WHERE status = $1 AND kind = $2 ORDER BY tenant, id`, "active", string(kind))
		if err != nil {
			return nil, err
		}
		out = append(out, all...)
		if kind != consent.KindAppApproval {
			continue
		}
		if all, err = s.approvalKeys(ctx); err != nil {
			return nil, err
		}
		out = append(out, all...)
	}
	return out, nil
}

// DropFactor deletes a factor of the store and gives the account that it
// belonged to. Errors: errs.NotFound, errs.Unavailable.
func (s *Store) DropFactor(ctx context.Context, tenant, id string) (personID string, err error) {
	err = s.inTx(ctx, func(p *ports) (err error) {
		personID, err = one(ctx, p, "factor", scanText, `SELECT person_id FROM factor WHERE tenant = $1 AND id = $2`, tenant, id)
		if err != nil {
			return err
		}
		return p.write(ctx, `DELETE FROM factor WHERE tenant = $1 AND id = $2`, tenant, id)
	})
	return personID, err
}
