package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

const entryColumns = `tenant, id, person_id, client_id, patient, grant_id, head, body`

// entryRow gives the values of a row of audit_entry, nil for an event that must
// go to audit_event.
func (p *ports) entryRow(ctx context.Context, e audit.Event) ([]any, error) {
	if e.ID != "" || !p.newest.Load() {
		return nil, nil
	}
	id, ok := entryID(e.Time, p.ids.Bytes(8))
	if !ok {
		return nil, nil
	}
	if !storable([]any{string(e.Kind), e.Action, string(e.Outcome), e.Reason, e.SessionID, e.RequestID, e.GrantID, e.Resource.String()}) {
		return nil, errNotStorable()
	}
	e.ID = hex.EncodeToString(id)
	body, err := p.seal(ctx, auditPlace(entryTable, e), packBody(e))
	if err != nil {
		return nil, err
	}
	return []any{e.Tenant, id, e.PersonID, e.ClientID, e.Patient, packRef(e.GrantID), entryHead(e), body}, nil
}

func scanAuditEntry(r Row) (a auditRecord, err error) {
	e := &a.event
	var id, grant, head []byte
	if err := r.Scan(&e.Tenant, &id, &e.PersonID, &e.ClientID, &e.Patient, &grant, &head, &a.body); err != nil {
		return a, err
	}
	e.ID, e.GrantID, a.table = hex.EncodeToString(id), unpackRef(grant), entryTable
	if _, ok := entryKey(e.ID); ok {
		e.Time = entryTime(id)
	} else {
		a.garbled = true
	}
	if openHead(e, head) != nil {
		a.garbled = true
	}
	return a, nil
}

// entryWhere gives the condition of a filter, as auditWhere does. The indexes on
// patient and person have their last characters only, and of the time in the id
// the 256 minutes: so the entries of one page of events are one entry.
func entryWhere(f audit.Filter) (string, []any) {
	parts, args := []string{"tenant = $1"}, []any{f.Tenant}
	add := func(condition string, value any) {
		args = append(args, value)
		parts = append(parts, fmt.Sprintf(condition, len(args)))
	}
	end := func(text string) string { return "SUBSTR(" + text + ", LENGTH(" + text + ") - 5)" }
	order, least, most := "id DESC", "id >= $%d", "id < $%d"
	for _, c := range []struct{ column, value string }{{"patient", f.Patient}, {"person_id", f.PersonID}} {
		if c.value != "" {
			// A plain equality would be put into the expression by SQLite, which then is
			// that of no index.
			add(c.column+" BETWEEN $%[1]d AND $%[1]d AND "+c.column+" <> '' AND "+end(c.column)+" = "+end("$%[1]d"), c.value)
			order = "SUBSTR(id, 1, 3) DESC, id DESC"
			least = "id >= $%[1]d AND SUBSTR(id, 1, 3) >= SUBSTR($%[1]d, 1, 3)"
			most = "id < $%[1]d AND SUBSTR(id, 1, 3) <= SUBSTR($%[1]d, 1, 3)"
		}
	}
	if f.ClientID != "" {
		add("client_id = $%d", f.ClientID)
	}
	if f.GrantID != "" {
		add("grant_id = $%d", packRef(f.GrantID))
	}
	if len(f.Kinds) > 0 {
		marks := make([]string, len(f.Kinds))
		for i, k := range f.Kinds {
			mark := shorten(nil, string(k))
			args = append(args, mark)
			marks[i] = fmt.Sprintf("SUBSTR(head, 1, %d) = $%d", len(mark), len(args))
		}
		parts = append(parts, "("+strings.Join(marks, " OR ")+")")
	}
	if !f.Since.IsZero() {
		add(least, firstEntry(f.Since))
	}
	if !f.Until.IsZero() {
		add(most, firstEntry(f.Until.Add(time.Microsecond)))
	}
	switch {
	case f.Before.IsZero():
	case f.BeforeID == "":
		add(most, firstEntry(f.Before))
	default:
		add(most, entryBound(f.Before, f.BeforeID))
	}
	args = append(args, f.Limit)
	return strings.Join(parts, " AND ") + fmt.Sprintf(" ORDER BY "+order+" LIMIT $%d", len(args)), args
}

// firstEntry gives what no id of an event at t or later is less than, and every
// id of an earlier one is.
func firstEntry(t time.Time) []byte {
	id, ok := entryID(t, make([]byte, 8))
	switch {
	case ok:
		return id
	case t.Before(time.Unix(1, 0)):
		return []byte{}
	default:
		return bytes.Repeat([]byte{0xFF}, 17)
	}
}

// entryBound gives the place among the ids of entries of an event of either
// table: smaller ids are those of events before it in the order of time and id.
func entryBound(t time.Time, id string) []byte {
	first := firstEntry(t)
	key, ok := entryKey(id)
	switch {
	case ok && entryTime(key).Equal(t.Truncate(time.Microsecond)):
		return key
	case len(first) == 16 && id > hex.EncodeToString(first[:8]):
		return firstEntry(t.Add(time.Microsecond))
	}
	return first
}

// AuditMinutes implements audit.Ledger. The bounds let the index on time serve;
// division rounds toward zero, so minute 0 begins one minute early.
func (p *ports) AuditMinutes(ctx context.Context, tenant string, from, to int64) (map[int64]int64, error) {
	us := time.Minute.Microseconds()
	low, high := from*us, to*us
	if from <= 0 {
		low -= us - 1
	}
	if to <= 0 {
		high -= us - 1
	}
	out, err := p.counts(ctx, `SELECT time / `+strconv.FormatInt(us, 10)+`, COUNT(*) FROM audit_event
		WHERE tenant = $1 AND time >= $2 AND time < $3 GROUP BY 1`, tenant, low, high)
	if err != nil {
		return nil, err
	}
	type row struct {
		minute []byte
		n      int64
	}
	rows, err := list(ctx, p, func(r Row) (c row, err error) {
		err = r.Scan(&c.minute, &c.n)
		return c, err
	}, `SELECT SUBSTR(id, 1, 4), COUNT(*) FROM audit_entry WHERE tenant = $1 AND id >= $2 AND id < $3 GROUP BY 1`,
		tenant, firstEntry(time.UnixMicro(from*us)), firstEntry(time.UnixMicro(to*us)))
	for _, c := range rows {
		if len(c.minute) == 4 {
			out[int64(binary.BigEndian.Uint32(c.minute))] += c.n
		}
	}
	return out, err
}

// AuditStamps implements audit.Ledger.
func (p *ports) AuditStamps(ctx context.Context, tenant string, after audit.Stamp, until time.Time) ([]audit.Stamp, error) {
	limit := ` LIMIT ` + strconv.Itoa(audit.MaxStamps)
	out, err := list(ctx, p, func(r Row) (s audit.Stamp, err error) {
		err = r.Scan(into(&s.Time), &s.ID)
		return s, err
	}, `SELECT time, id FROM audit_event WHERE tenant = $1 AND time >= $2 AND (time > $2 OR id > $3) AND time <= $4
		ORDER BY time, id`+limit, tenant, micros(after.Time), after.ID, micros(until))
	if err != nil {
		return nil, err
	}
	entries, err := list(ctx, p, func(r Row) (audit.Stamp, error) {
		var id []byte
		err := r.Scan(&id)
		s := audit.Stamp{ID: hex.EncodeToString(id)}
		if len(id) >= 8 {
			s.Time = entryTime(id)
		}
		return s, err
	}, `SELECT id FROM audit_entry WHERE tenant = $1 AND id > $2 AND id < $3 ORDER BY id`+limit,
		tenant, entryBound(after.Time, after.ID), firstEntry(until.Add(time.Microsecond)))
	if err != nil || len(out) == 0 {
		return entries, err
	}
	out = append(out, entries...)
	slices.SortStableFunc(out, func(a, b audit.Stamp) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
	})
	return out[:min(len(out), audit.MaxStamps)], nil
}

// StoredAudits implements audit.Ledger.
func (p *ports) StoredAudits(ctx context.Context, tenant string, ids []string) ([]audit.Stored, error) {
	var out []audit.Stored
	for chunk := range slices.Chunk(ids, 256) {
		var names, keys []any
		for _, id := range chunk {
			if key, ok := entryKey(id); ok {
				keys = append(keys, key)
			}
		}
		rows, err := listIn(ctx, p, scanAuditEntry, `SELECT `+entryColumns+` FROM audit_entry WHERE tenant = $1 AND id IN (`, tenant, keys)
		if err != nil {
			return nil, err
		}
		found := map[string]bool{}
		for _, row := range rows {
			found[row.event.ID] = true
		}
		for _, id := range chunk {
			if !found[id] {
				names = append(names, id)
			}
		}
		older, err := listIn(ctx, p, scanAudit, `SELECT `+auditColumns+` FROM audit_event WHERE tenant = $1 AND id IN (`, tenant, names)
		if err != nil {
			return nil, err
		}
		for _, row := range append(rows, older...) {
			s, err := p.stored(ctx, row)
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		}
	}
	return out, nil
}

// listIn reads the rows whose last column in the condition is one of at most
// 256 values. The list is filled up to one of three sizes, so that the engines
// compile few texts.
func listIn[T any](ctx context.Context, p *ports, scan func(Row) (T, error), sql, tenant string, values []any) ([]T, error) {
	if len(values) == 0 {
		return nil, nil
	}
	size := 256
	for size > 1 && size/16 >= len(values) {
		size /= 16
	}
	args, marks := []any{tenant}, make([]string, size)
	for i := range marks {
		args = append(args, values[min(i, len(values)-1)])
		marks[i] = "$" + strconv.Itoa(i+2)
	}
	return list(ctx, p, scan, sql+strings.Join(marks, ", ")+")", args...)
}

// stored tells how much of an event is left.
func (p *ports) stored(ctx context.Context, row auditRecord) (audit.Stored, error) {
	s := audit.Stored{Event: row.event, State: audit.Whole}
	if hash, erased := erasedBody(row.body); erased {
		s.State, s.Body = audit.Erased, hash
		return s, nil
	}
	err := p.openAudit(ctx, &row)
	s.Event = row.event
	switch {
	case errs.Is(err, errs.Unavailable):
		return s, err
	case errs.Is(err, errs.Gone):
		s.State = audit.Destroyed
	case err != nil:
		s.State = audit.Unreadable
	case row.garbled:
		s.State = audit.Garbled
	}
	return s, nil
}
