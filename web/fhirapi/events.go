package fhirapi

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/fhirevent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// Events reads the audit log; store.Reports does.
type Events interface {
	Audits(ctx context.Context, f audit.Filter) ([]audit.Event, error)
	StoredAudits(ctx context.Context, tenant string, ids []string) ([]audit.Stored, error)
}

// Log serves AuditEvents.
type Log struct {
	Events Events
	// AsOf says up to when Events is complete: it may read from a replica that
	// is a little behind.
	AsOf  func(ctx context.Context) (time.Time, error)
	Names fhirevent.Names
}

// Limits of one search.
const (
	// maxLooked is how many events one answer looks through.
	maxLooked = 5000
	logChunk  = 250
)

// ofOwnRecord are the kinds that patients see: who looked at or changed their
// record, and by which connection.
func ofOwnRecord() []audit.Kind {
	return []audit.Kind{
		audit.FHIRRead, audit.FHIRSearch, audit.FHIRWrite, audit.FHIROperation, audit.FHIRRefused,
		audit.GrantCreated, audit.GrantRevoked, audit.ConsentFiled, audit.ConsentWithdrawn,
	}
}

// do answers a read or a search; the log is never written to.
func (l Log) do(ctx context.Context, c Call) (Answer, error) {
	switch c.Request.Interaction {
	case rest.Read:
		one, err := l.read(ctx, c)
		return Answer{One: one}, err
	case rest.SearchType, rest.SearchCompartment:
		return l.search(ctx, c)
	}
	return Answer{}, notOffered()
}

func (l Log) read(ctx context.Context, c Call) (Item, error) {
	found, err := l.Events.StoredAudits(ctx, c.Tenant, []string{c.Request.ID})
	if err != nil {
		return Item{}, err
	}
	if len(found) == 0 || found[0].State == audit.Garbled {
		return Item{}, errAbsent
	}
	it, _, err := l.shown(c, found[0].Event, scope.Read)
	if err == nil && it.Raw == nil {
		err = errAbsent
	}
	return it, err
}

// shown maps an event and judges it; an Item without Raw is not shown.
func (l Log) shown(c Call, e audit.Event, op scope.Ops) (Item, logView, error) {
	if c.Input.Grant.Capacity.Kind != fhir.CapacitySystem {
		if !slices.Contains(ofOwnRecord(), e.Kind) {
			return Item{}, logView{}, nil
		}
		if e.PersonID != c.Origin.PersonID {
			// From where others work is no business of the patient's app.
			e.Network = ""
		}
	}
	raw, err := fhirevent.Map(e, l.Names)
	if err != nil {
		return Item{}, logView{}, nil //nolint:nilerr // an event without a FHIR form is not shown
	}
	res, err := view.Scan(raw)
	if err != nil {
		return Item{}, logView{}, err
	}
	// Whom it is about the log knows better than a reader of references, to
	// whom the ids of tokens and requests might be anybody.
	res.Subjects, res.ForeignSubject = nil, false
	if e.Patient != "" {
		res.Subjects = []string{e.Patient}
	}
	in := c.Input
	in.Request, in.Resource, in.Op = nil, &res, op
	if !access.Decide(in).Allow {
		return Item{}, logView{}, nil
	}
	var v logView
	if err := json.Unmarshal(raw, &v); err != nil {
		return Item{}, v, err
	}
	return Item{Raw: raw, Ref: fhir.Reference{Type: access.LogType, ID: e.ID}, Version: 1, Updated: e.Time}, v, nil
}

// search gives one page, newest first, and where the next one begins.
func (l Log) search(ctx context.Context, c Call) (Answer, error) {
	w, err := readLogSearch(c)
	if err != nil {
		return Answer{}, err
	}
	// Asked before the log is read, which then has at least as much.
	at, err := l.AsOf(ctx)
	if err != nil {
		return Answer{}, err
	}
	ans := Answer{Paged: true, AsOf: at}
	if w.nothing {
		return ans, nil
	}
	last := ""
	for looked := 0; looked < maxLooked; {
		events, err := l.Events.Audits(ctx, w.filter)
		if err != nil {
			return Answer{}, err
		}
		for _, e := range events {
			looked++
			it, v, err := l.shown(c, e, scope.Search)
			if err != nil {
				return Answer{}, err
			}
			w.filter.Before, w.filter.BeforeID = e.Time, e.ID
			if it.Raw == nil || !w.matches(e, v) {
				continue
			}
			if len(ans.Many) == c.Page.Count {
				// There is one more: the next page begins behind the last shown.
				ans.Next = last
				return ans, nil
			}
			ans.Many, last = append(ans.Many, it), cursor(e)
		}
		if len(events) < logChunk {
			return ans, nil
		}
	}
	ans.Next = cursor(audit.Event{Time: w.filter.Before, ID: w.filter.BeforeID})
	return ans, nil
}

func cursor(e audit.Event) string { return strconv.FormatInt(e.Time.UnixMicro(), 10) + "|" + e.ID }

// logView is what the conditions of a search look at.
type logView struct {
	Type        token
	Subtype     []token
	Action      string
	Outcome     string
	Agent       []struct{ Who who }
	Entity      []struct{ What who }
	Source      struct{ Observer who }
	OutcomeDesc string
}

type token struct{ System, Code string }

type who struct {
	Reference  string
	Identifier struct{ System, Value string }
}

// is compares with a token "code", "system|code", "|code" or "system|".
func (t token) is(text string) bool {
	system, code, both := strings.Cut(text, "|")
	if !both {
		return t.Code == text
	}
	return t.System == system && (code == "" || t.Code == code)
}

func (w who) identifiedBy(text string) bool {
	return token{w.Identifier.System, w.Identifier.Value}.is(text)
}

// refers compares with a reference, whatever version the event names.
func (w who) refers(text string) bool {
	want, ok := fhir.ParseReference(text)
	unversioned, _, _ := strings.Cut(w.Reference, "/_history/")
	return ok && want.String() == unversioned
}

// logSearch is a search of the log: what the store selects by, and what each
// event is looked at for.
type logSearch struct {
	filter     audit.Filter
	conditions []rest.Param
	nothing    bool
}

func readLogSearch(c Call) (*logSearch, error) {
	w := &logSearch{filter: audit.Filter{Tenant: c.Tenant, Limit: logChunk}}
	if own := c.Input.Grant.Capacity; own.Kind == fhir.CapacitySelf {
		w.filter.Patient, w.filter.Kinds = own.Patient, ofOwnRecord()
	}
	if c.Request.Interaction == rest.SearchCompartment {
		w.about(c.Request.Compartment.ID)
	}
	for _, p := range c.Request.Query {
		if err := w.take(p); err != nil {
			return nil, err
		}
	}
	if at, id, ok := strings.Cut(c.Page.After, "|"); ok {
		us, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			return nil, errs.New(errs.Invalid, "page-link", "A page link is followed as it was given.")
		}
		w.filter.Before, w.filter.BeforeID = time.UnixMicro(us).UTC(), id
	}
	return w, nil
}

func (w *logSearch) about(patient string) {
	w.nothing = w.nothing || w.filter.Patient != "" && w.filter.Patient != patient
	w.filter.Patient = patient
}

func (w *logSearch) take(p rest.Param) error {
	one := len(p.Values) == 1
	switch {
	case slices.Contains(shown, p.Name):
	case p.Name == "patient" && p.Modifier == "" && one:
		w.about(strings.TrimPrefix(p.Values[0], "Patient/"))
	case (p.Name == "date" || p.Name == "_lastUpdated") && p.Modifier == "" && one:
		return w.date(p)
	case p.Name == "agent" && (p.Modifier == "" || p.Modifier == "identifier"),
		p.Name == "entity" && (p.Modifier == "" || p.Modifier == "identifier"),
		slices.Contains([]string{"_id", "type", "subtype", "action", "outcome"}, p.Name) && p.Modifier == "":
		w.conditions = append(w.conditions, p)
		w.lead(p)
	default:
		return errs.New(errs.Invalid, "search-parameter-unknown", "The search parameter "+p.Name+" is not offered on this type.")
	}
	return nil
}

// lead lets the store select where it has an index.
func (w *logSearch) lead(p rest.Param) {
	if len(p.Values) != 1 {
		return
	}
	_, id, both := strings.Cut(p.Values[0], "|")
	switch {
	case p.Name == "entity" && p.Modifier == "" && strings.HasPrefix(p.Values[0], "Patient/"):
		w.about(strings.TrimPrefix(p.Values[0], "Patient/"))
	case p.Name == "agent" && p.Modifier == "identifier" && both && strings.Contains(p.Values[0], "://"):
		w.filter.PersonID = id
	}
}

// date reads a date with its prefix into bounds.
func (w *logSearch) date(p rest.Param) error {
	text := p.Values[0]
	prefix := "eq"
	if len(text) > 2 && text[0] >= 'a' && text[0] <= 'z' {
		prefix, text = text[:2], text[2:]
	}
	span, ok := fhir.ParseDate(text)
	if !ok {
		return errs.New(errs.Invalid, "search-value-malformed", "The value of "+p.Name+" is not a date.")
	}
	// The log counts microseconds.
	from, to := span.Start, span.End.Truncate(time.Microsecond)
	switch prefix {
	case "eq":
		w.since(from)
		w.until(to)
	case "ge":
		w.since(from)
	case "gt", "sa":
		w.since(to.Add(time.Microsecond))
	case "le":
		w.until(to)
	case "lt", "eb":
		w.until(from.Add(-time.Microsecond))
	default:
		return errs.New(errs.Invalid, "search-value-malformed", "The prefix of "+p.Name+" is not offered.")
	}
	return nil
}

func (w *logSearch) since(t time.Time) {
	if t.After(w.filter.Since) {
		w.filter.Since = t
	}
}

func (w *logSearch) until(t time.Time) {
	if w.filter.Until.IsZero() || t.Before(w.filter.Until) {
		w.filter.Until = t
	}
}

func (w *logSearch) matches(e audit.Event, v logView) bool {
	for _, p := range w.conditions {
		if !slices.ContainsFunc(p.Values, func(text string) bool { return meets(e, v, p, text) }) {
			return false
		}
	}
	return true
}

func meets(e audit.Event, v logView, p rest.Param, text string) bool {
	compare := who.refers
	if p.Modifier == "identifier" {
		compare = who.identifiedBy
	}
	switch p.Name {
	case "_id":
		return e.ID == text
	case "type":
		return v.Type.is(text)
	case "subtype":
		return slices.ContainsFunc(v.Subtype, func(t token) bool { return t.is(text) })
	case "action":
		return v.Action == tail(text)
	case "outcome":
		return v.Outcome == tail(text)
	case "agent":
		return slices.ContainsFunc(v.Agent, func(a struct{ Who who }) bool { return compare(a.Who, text) })
	}
	return slices.ContainsFunc(v.Entity, func(a struct{ What who }) bool { return compare(a.What, text) })
}

// tail gives the code of a token.
func tail(text string) string {
	if i := strings.LastIndexByte(text, '|'); i >= 0 {
		return text[i+1:]
	}
	return text
}
