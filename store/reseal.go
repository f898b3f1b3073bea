package store

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
)

// sealedColumn is one encrypted column; the one place to name a new one for
// rotations, beside the file that reads and writes it.
type sealedColumn struct {
	// table and column are where it is, key the column behind tenant in the
	// primary key; several rows may share a key (older versions).
	table, column, key string
	// row and subject are SQL for keys.Place; place is its table, when it
	// differs.
	row, subject, place string
	// text columns hold base64; a blind one is computed from beside; of a
	// mixed one some values need no sealing; a raw key is bytes, and its
	// hexadecimal digits are the row.
	text, blind, mixed, raw bool
	// beside is the sealed column of which a blind one is computed, as in lookup.
	beside string
	lookup func(p *ports, ctx context.Context, tenant, value string) ([]string, error)
}

func sealedColumns() []sealedColumn {
	const version = `id || '/' || CAST(version AS TEXT)`
	return []sealedColumn{
		{table: "person", key: "id", column: "name", row: "id"},
		{table: "person", key: "id", column: "username", row: "id", text: true},
		{table: "person", key: "id", column: "username_key", row: "id", blind: true, beside: "username", lookup: (*ports).usernameIndex},
		{table: "directory_entry", key: "person_id", column: "body", row: "person_id", text: true},
		{table: "directory_key", key: "id", column: "value", row: "id", text: true},
		{table: "directory_key", key: "id", column: "key", row: "id", blind: true, beside: "value", lookup: (*ports).directoryIndex},
		{table: "factor", key: "id", column: "secret", row: "id"},
		{table: "factor", key: "id", column: "name", row: "id", mixed: true},
		{table: "consent", key: "id", column: "json", row: version, subject: "patient"},
		{table: "consent_version", key: "id", column: "json", row: version, subject: "patient", place: "consent"},
		{table: "related_person", key: "id", column: "json", row: version, subject: "patient"},
		{table: "related_person_version", key: "id", column: "json", row: version, subject: "patient", place: "related_person"},
		{table: "signing_key", key: "kid", column: "private_key", row: "kid"},
		{table: "named_secret", key: "name", column: "value", row: "name"},
		{table: "notice", key: "id", column: "args", row: "id", text: true},
		{table: "launch", key: "hash", column: "context", row: "hash", text: true},
		{table: "pending", key: "id", column: "request", row: "id", text: true},
		{table: "pending", key: "id", column: "context", row: "id", text: true},
		{table: "pending", key: "id", column: "packed", row: "id", mixed: true},
		{table: "pushed_request", key: "hash", column: "request", row: "hash", text: true},
		{table: "app_grant", key: "id", column: "context", row: "id", text: true, mixed: true},
		{table: "app_grant", key: "id", column: "approval", row: "id", subject: "patient", mixed: true},
		{table: "proxy_case", key: "id", column: "body", row: "id", subject: "patient", text: true},
		{table: "proxy_request", key: "id", column: "body", row: "id", text: true},
		{table: "evidence", key: "id", column: "json", row: version, subject: "patient"},
		{table: "evidence_version", key: "id", column: "json", row: version, subject: "patient", place: "evidence"},
		{table: "upstream_match", key: "id", column: "body", row: "id", text: true},
		{table: "account_recovery", key: "id", column: "body", row: "id", text: true},
		{table: "login_ticket", key: "id", column: "body", row: "id", text: true},
		{table: "app_state", key: "id", column: "json", row: version, subject: "patient"},
		{table: auditTable, key: "id", column: "body", row: "id", subject: "patient"},
		{table: entryTable, key: "id", column: "body", row: "id", subject: "patient", raw: true},
	}
}

// stored gives a key as the column holds it.
func (c sealedColumn) stored(key string) any {
	if !c.raw {
		return key
	}
	raw, err := hex.DecodeString(key)
	if err != nil {
		raw = nil // before the first
	}
	return append([]byte{}, raw...)
}

func (c sealedColumn) name() string { return c.table + "." + c.column }

// resealWaits is the position of a pass that found nothing stale too early: a
// node may write under an older key until the newer one is active everywhere,
// so the last pass begins after that.
const resealWaits = "~"

// resealKeys is how many keys one transaction covers.
const resealKeys = 200

// sealedCell is one value as it is stored.
type sealedCell struct {
	key    string
	place  keys.Place
	bytes  []byte // of a binary column
	text   string // of a text column
	beside string // what a blind index is computed of, sealed
}

// Reseal encrypts again what is under older keys, as long as the context lives
// and work is left, and says when none is. It is safe beside running servers,
// and stopped at any point goes on there. Two passes find nothing twice: a value
// that moved to another table meanwhile is met by the next pass. Errors:
// errs.Unavailable, and those of a value that cannot be read.
func (s *Store) Reseal(ctx context.Context) (finished bool, err error) {
	all, err := s.Reseals(ctx)
	if err != nil {
		return false, err
	}
	for _, r := range all {
		for r.Finished.IsZero() {
			if r.Position == resealWaits {
				if s.clock.Now().Sub(r.Started) < 2*keys.Announce {
					return false, nil
				}
				r.Began, r.Position, r.Seen = s.clock.Now(), "", 0
			}
			if ctx.Err() != nil {
				return false, nil
			}
			if r, err = s.resealStep(ctx, r); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// resealStep does one batch and notes how far it came.
func (s *Store) resealStep(ctx context.Context, r keys.Reseal) (keys.Reseal, error) {
	name, after, _ := strings.Cut(r.Position, "|")
	columns := sealedColumns()
	at := 0
	for i, c := range columns {
		if c.name() == name {
			at = i
		}
	}
	last, seen, stale, err := s.resealBatch(ctx, r.Tenant, columns[at], after)
	if err != nil {
		return r, err
	}
	r.Seen, r.Stale = r.Seen+seen, r.Stale+stale
	now := s.clock.Now()
	switch {
	case last != "":
		r.Position = columns[at].name() + "|" + last
	case at+1 < len(columns):
		r.Position = columns[at+1].name() + "|"
	case r.Stale == 0 && r.Began.Sub(r.Started) >= 2*keys.Announce:
		// Since this pass began, nobody wrote under the older keys.
		if err := s.endResealed(ctx, r.Tenant, now); err != nil {
			return r, err
		}
		r.Finished = now
	case r.Stale == 0:
		r.Position = resealWaits
	default:
		r.Began, r.Position, r.Seen, r.Stale = now, "", 0, 0
	}
	return r, s.write(ctx, `UPDATE reseal_pass SET began = $3, position = $4, seen = $5, stale = $6, finished = $7
		WHERE tenant = $1 AND started = $2`,
		r.Tenant, micros(r.Started), micros(r.Began), r.Position, r.Seen, r.Stale, micros(r.Finished))
}

// endResealed has the older versions of data keys destroyed, under which
// nothing is any more. The index key goes too: no index is under it.
func (s *Store) endResealed(ctx context.Context, tenant string, now time.Time) error {
	return s.atomic(ctx, func(p *ports) error {
		err := p.write(ctx, `UPDATE data_key SET destroy = $2
			WHERE tenant = $1 AND destroyed = 0 AND destroy = 0 AND retired <> 0 AND retired <= $2`, tenant, micros(now))
		if err != nil {
			return err
		}
		return p.KeysChanged(ctx, tenant)
	})
}

// resealBatch looks at the values of some keys behind one and encrypts the stale
// ones again. last is the last key, "" when there is none behind.
func (s *Store) resealBatch(ctx context.Context, tenant string, c sealedColumn, after string) (last string, seen, stale int64, err error) {
	cells, err := s.cells(ctx, tenant, c, after)
	if err != nil || len(cells) == 0 {
		return "", 0, 0, err
	}
	type change struct{ fresh, old any }
	changes := map[int]change{}
	for i, cell := range cells {
		fresh, old, err := s.resealCell(ctx, c, cell)
		if errs.Is(err, errs.Gone) {
			continue
		}
		if err != nil {
			return "", 0, 0, err
		}
		if fresh != nil {
			changes[i] = change{fresh, old}
		}
	}
	if len(changes) > 0 {
		err = s.inTx(ctx, func(p *ports) error {
			for i, ch := range changes {
				// Who changed the value meanwhile did it under newer keys.
				_, err := p.exec(ctx, `UPDATE `+c.table+` SET `+c.column+` = $3 WHERE tenant = $1 AND `+c.key+` = $2 AND `+
					c.column+` = $4`, tenant, c.stored(cells[i].key), ch.fresh, ch.old)
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return cells[len(cells)-1].key, int64(len(cells)), int64(len(changes)), err
}

// cells reads the values of the next keys.
func (s *Store) cells(ctx context.Context, tenant string, c sealedColumn, after string) ([]sealedCell, error) {
	subject, beside := c.subject, `''`
	if subject == "" {
		subject = `''`
	}
	if c.blind {
		beside = c.beside
	}
	table := c.place
	if table == "" {
		table = c.table
	}
	return list(ctx, s.ports, func(r Row) (v sealedCell, err error) {
		v.place = keys.Place{Tenant: tenant, Table: table, Column: c.column}
		value := any(&v.bytes)
		if c.text || c.blind {
			value = &v.text
		}
		if !c.raw {
			err = r.Scan(&v.key, &v.place.Row, &v.place.Subject, &v.beside, value)
			return v, err
		}
		var key, row []byte
		err = r.Scan(&key, &row, &v.place.Subject, &v.beside, value)
		v.key, v.place.Row = hex.EncodeToString(key), hex.EncodeToString(row)
		return v, err
	}, `SELECT `+c.key+`, `+c.row+`, `+subject+`, `+beside+`, `+c.column+` FROM `+c.table+` WHERE tenant = $1 AND `+c.key+
		` IN (SELECT DISTINCT `+c.key+` FROM `+c.table+` WHERE tenant = $1 AND `+c.key+` > $2 ORDER BY `+c.key+
		` LIMIT `+strconv.Itoa(resealKeys)+`) ORDER BY `+c.key, tenant, c.stored(after))
}

// resealCell gives the new form of a value, nil when it may stay, and the old
// one to compare with.
func (s *Store) resealCell(ctx context.Context, c sealedColumn, v sealedCell) (fresh, old any, err error) {
	if c.blind {
		return s.reindex(ctx, c, v)
	}
	sealed := keys.Sealed(v.bytes)
	switch {
	case c.mixed && !c.text && len(v.bytes) == 0:
		return nil, nil, nil
	case c.text:
		if v.text == "" || c.mixed && !strings.HasPrefix(v.text, sealedMark) {
			return nil, nil, nil
		}
		sealed = textSealed(v.text)
	}
	if _, erased := erasedBody(sealed); erased {
		return nil, nil, nil
	}
	stale, err := s.sealer.Stale(ctx, s.ports, v.place, sealed)
	if err != nil || !stale {
		return nil, nil, err
	}
	plain, err := s.open(ctx, v.place, sealed)
	if err != nil {
		return nil, nil, err
	}
	if c.text {
		fresh, err = s.sealText(ctx, v.place, string(plain))
		return fresh, v.text, err
	}
	fresh, err = s.seal(ctx, v.place, plain)
	return fresh, v.bytes, err
}

// reindex computes a blind index anew.
func (s *Store) reindex(ctx context.Context, c sealedColumn, v sealedCell) (fresh, old any, err error) {
	place := v.place
	place.Column = c.beside
	value, err := s.openText(ctx, place, v.beside)
	if err != nil {
		return nil, nil, err
	}
	index, err := c.lookup(s.ports, ctx, v.place.Tenant, value)
	if err != nil || index[0] == v.text {
		return nil, nil, err
	}
	return index[0], v.text, nil
}
