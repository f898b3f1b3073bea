package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
)

// auditBody holds the fields of an event in audit_event that are not searched
// for; it is sealed as one.
type auditBody struct {
	Capacity        *fhir.Capacity    `json:"cap,omitempty"`
	ResourceVersion string            `json:"ver,omitempty"`
	Query           string            `json:"q,omitempty"`
	Delivered       []string          `json:"out,omitempty"`
	Count           int               `json:"n,omitempty"`
	Consents        []string          `json:"con,omitempty"`
	TokenID         string            `json:"jti,omitempty"`
	Network         string            `json:"net,omitempty"`
	Detail          map[string]string `json:"det,omitempty"`
}

// The tables of events: the one that is written, and the one of older ones.
const (
	entryTable = "audit_entry"
	auditTable = "audit_event"
)

func auditPlace(table string, e audit.Event) keys.Place {
	return keys.Place{Tenant: e.Tenant, Table: table, Column: "body", Row: e.ID, Subject: e.Patient}
}

const auditColumns = `tenant, id, time, kind, action, outcome, reason, person_id, client_id, session_id, patient,
	resource, grant_id, request_id, body`

// AppendAudit implements audit.Appender.
func (p *ports) AppendAudit(ctx context.Context, e audit.Event) error {
	return p.atomic(ctx, func(p *ports) error { return p.appendRows(ctx, []audit.Event{e}) })
}

// AppendAudits implements audit.Store. Rows go in a few sizes of statement, so
// that the engines compile few texts; a small batch is one statement, which is a
// transaction by itself.
func (p *ports) AppendAudits(ctx context.Context, events []audit.Event) error {
	return p.atomic(ctx, func(p *ports) error {
		for left := events; len(left) > 0; {
			n := atOnce(len(left))
			if err := p.appendRows(ctx, left[:n]); err != nil {
				return err
			}
			left = left[n:]
		}
		return nil
	})
}

// atOnce gives how many of n rows one statement adds.
func atOnce(n int) int {
	const each, most = 8, 64
	if n <= each {
		return n
	}
	size := each
	for size*2 <= min(n, most) {
		size *= 2
	}
	return size
}

// appendRows adds events: to audit_entry those that the store names, and to
// audit_event those that have a name already or a time that an entry cannot
// tell.
func (p *ports) appendRows(ctx context.Context, events []audit.Event) error {
	if p.events == nil {
		p.events = events[:len(events):len(events)]
	} else {
		p.events = append(p.events, events...)
	}
	entries := make([][]any, 0, len(events))
	var rows [][]any
	for _, e := range events {
		row, err := p.entryRow(ctx, e)
		if err != nil {
			return err
		}
		if row != nil {
			entries = append(entries, row)
			continue
		}
		if row, err = p.auditRow(ctx, e); err != nil {
			return err
		}
		rows = append(rows, row)
	}
	if err := p.insertRows(ctx, "INSERT INTO audit_entry ("+entryColumns+") VALUES ", entries); err != nil {
		return err
	}
	return p.insertRows(ctx, "INSERT INTO audit_event ("+auditColumns+") VALUES ", rows)
}

// insertRows adds rows in one statement.
func (p *ports) insertRows(ctx context.Context, into string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	columns := len(rows[0])
	args := make([]any, 0, len(rows)*columns)
	for _, row := range rows {
		args = append(args, row...)
	}
	return p.write(ctx, p.texts.insert(into, len(rows), columns), args...)
}

// texts are statements that add several rows, written once. Its zero value is
// ready.
type texts struct{ known sync.Map }

type insertion struct {
	into          string
	rows, columns int
}

func (t *texts) insert(into string, rows, columns int) string {
	key := insertion{into, rows, columns}
	if text, ok := t.known.Load(key); ok {
		return text.(string)
	}
	var sql strings.Builder
	sql.WriteString(into)
	for i := range rows * columns {
		mark := ", "
		switch {
		case i == 0:
			mark = "("
		case i%columns == 0:
			mark = "), ("
		}
		sql.WriteString(mark + "$" + strconv.Itoa(i+1))
	}
	sql.WriteString(")")
	t.known.Store(key, sql.String())
	return sql.String()
}

// auditRow gives the values of one row, in the order of auditColumns.
func (p *ports) auditRow(ctx context.Context, e audit.Event) ([]any, error) {
	if e.ID == "" {
		e.ID = p.ids.ID()
	}
	b := auditBody{ResourceVersion: e.ResourceVersion, Query: e.Query, Delivered: e.Delivered, Count: e.Count,
		Consents: e.Consents, TokenID: e.TokenID, Network: e.Network, Detail: e.Detail}
	if e.Capacity != (fhir.Capacity{}) {
		b.Capacity = &e.Capacity
	}
	plain, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	body, err := p.seal(ctx, auditPlace(auditTable, e), plain)
	if err != nil {
		return nil, err
	}
	return []any{e.Tenant, e.ID, micros(e.Time), string(e.Kind), e.Action, string(e.Outcome), e.Reason, e.PersonID,
		e.ClientID, e.SessionID, e.Patient, e.Resource.String(), e.GrantID, e.RequestID, body}, nil
}

// Audits implements audit.Store.
func (p *ports) Audits(ctx context.Context, f audit.Filter) ([]audit.Event, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	where, args := entryWhere(f)
	rows, err := list(ctx, p, scanAuditEntry, `SELECT `+entryColumns+` FROM audit_entry WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	where, args = auditWhere(f)
	older, err := list(ctx, p, scanAudit, `SELECT `+auditColumns+` FROM audit_event WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	if len(older) > 0 {
		rows = append(rows, older...)
		slices.SortFunc(rows, func(a, b auditRecord) int {
			return cmp.Or(b.event.Time.Compare(a.event.Time), cmp.Compare(b.event.ID, a.event.ID))
		})
		rows = rows[:min(len(rows), f.Limit)]
	}
	var events []audit.Event
	for _, row := range rows {
		if _, erased := erasedBody(row.body); !erased {
			err := p.openAudit(ctx, &row)
			switch {
			case errs.Is(err, errs.Unavailable):
				return nil, err
			case errs.Is(err, errs.Gone):
				// The patient's key was destroyed (SG-10): that it happened stays.
				row.event.Detail = map[string]string{"erased": "true"}
			case err != nil:
				// Somebody changed it. One such row must not hide all others.
				row.event.Detail = map[string]string{"unreadable": "true"}
			}
		}
		events = append(events, row.event)
	}
	return events, nil
}

// auditRecord is a row as it is stored.
type auditRecord struct {
	event audit.Event
	body  []byte
	// table is where it is; garbled says that its columns are none that an event
	// writes.
	table   string
	garbled bool
}

func scanAudit(r Row) (a auditRecord, err error) {
	e, resource := &a.event, ""
	if err := r.Scan(&e.Tenant, &e.ID, into(&e.Time), &e.Kind, &e.Action, &e.Outcome, &e.Reason, &e.PersonID,
		&e.ClientID, &e.SessionID, &e.Patient, &resource, &e.GrantID, &e.RequestID, &a.body); err != nil {
		return a, err
	}
	err = reference{&e.Resource}.Scan(resource)
	a.table, a.garbled = auditTable, resource != e.Resource.String()
	return a, err
}

// openAudit reads the sealed part into the event.
func (p *ports) openAudit(ctx context.Context, a *auditRecord) error {
	e := &a.event
	plain, err := p.open(ctx, auditPlace(a.table, *e), a.body)
	if err != nil {
		return err
	}
	if len(plain) > 0 && plain[0] == packedBody {
		return openBody(e, plain)
	}
	var b auditBody
	if err := json.Unmarshal(plain, &b); err != nil {
		return fmt.Errorf("store: audit event %s: %w", e.ID, err)
	}
	if b.Capacity != nil {
		e.Capacity = *b.Capacity
	}
	e.ResourceVersion, e.Query, e.Delivered, e.Count = b.ResourceVersion, b.Query, b.Delivered, b.Count
	e.Consents, e.TokenID, e.Network, e.Detail = b.Consents, b.TokenID, b.Network, b.Detail
	return nil
}

// auditWhere gives the condition of a filter, without the word WHERE. An
// equality is joined by "<> the empty text" so that the partial index of the column serves.
func auditWhere(f audit.Filter) (string, []any) {
	parts, args := []string{"tenant = $1"}, []any{f.Tenant}
	add := func(condition string, value any) {
		args = append(args, value)
		parts = append(parts, fmt.Sprintf(condition, len(args)))
	}
	equal := func(column, value string) {
		if value != "" {
			add(column+" <> '' AND "+column+" = $%d", value)
		}
	}
	equal("patient", f.Patient)
	equal("person_id", f.PersonID)
	equal("client_id", f.ClientID)
	equal("grant_id", f.GrantID)
	if len(f.Kinds) > 0 {
		marks := make([]string, len(f.Kinds))
		for i, k := range f.Kinds {
			args = append(args, string(k))
			marks[i] = fmt.Sprintf("$%d", len(args))
		}
		parts = append(parts, "kind IN ("+strings.Join(marks, ", ")+")")
	}
	if !f.Since.IsZero() {
		add("time >= $%d", micros(f.Since))
	}
	if !f.Until.IsZero() {
		add("time <= $%d", micros(f.Until))
	}
	switch {
	case f.Before.IsZero():
	case f.BeforeID == "":
		add("time < $%d", micros(f.Before))
	default:
		add("time <= $%d", micros(f.Before))
		args = append(args, f.BeforeID)
		parts = append(parts, fmt.Sprintf("(time < $%d OR id < $%d)", len(args)-1, len(args)))
	}
	args = append(args, f.Limit)
	return strings.Join(parts, " AND ") + fmt.Sprintf(" ORDER BY time DESC, id DESC LIMIT $%d", len(args)), args
}
