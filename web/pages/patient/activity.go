package patient

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// shownKinds are the events that a patient sees.
var shownKinds = []audit.Kind{
	audit.FHIRRead, audit.FHIRSearch, audit.FHIRWrite, audit.FHIROperation, audit.FHIRRefused,
	audit.RecordCopied, audit.GrantCreated, audit.GrantRevoked,
}

// pageSize is how many events one page lists.
const pageSize = 50

// activity is "Who looked at my record".
func (h *Handler) activity(w http.ResponseWriter, r *http.Request, id session.Identity) {
	patient := ownPatient(id.Person)
	if patient == "" {
		h.Page(w, r, errNoRecord)
		return
	}
	q := r.URL.Query()
	filter, faults := readFilter(q, id.Person.Tenant, patient)
	events, err := h.Read.Audits(r.Context(), filter)
	if err == nil {
		err = h.record(r, id, patient)
	}
	if err != nil {
		h.Page(w, r, err)
		return
	}
	page := pages.Activity{
		Frame: h.frame(r, id, "/home"), Patient: h.patientName(r.Context(), patient), Self: true,
		Filter: pages.ActivityFilter{From: q.Get("from"), To: q.Get("to")},
	}
	page.Errors = faults
	if len(events) > pageSize {
		events = events[:pageSize]
		page.OlderURL = h.Session.Path("/activity?" + older(q, events[pageSize-1].Time))
	}
	names := h.names(id.Person.Tenant)
	page.Entries = names.entries(r.Context(), id, events)
	if q.Get("before") != "" {
		page.NewerURL = h.Session.Path("/activity?" + without(q, "before"))
	}
	if err := h.options(r.Context(), names, id, patient, q, &page.Filter); err != nil {
		h.Page(w, r, err)
		return
	}
	h.Kit.Render(w, r, http.StatusOK, page)
}

// readFilter reads the filter; a date that cannot be read is told and left
// out.
func readFilter(q url.Values, tenant, patient string) (audit.Filter, []pages.FieldError) {
	f := audit.Filter{Tenant: tenant, Patient: patient, Kinds: shownKinds, Limit: pageSize + 1, PersonID: q.Get("person"), ClientID: q.Get("app")}
	var faults []pages.FieldError
	for _, d := range []struct {
		field string
		set   func(time.Time)
	}{
		{"from", func(t time.Time) { f.Since = t }},
		{"to", func(t time.Time) { f.Until = t.AddDate(0, 0, 1).Add(-time.Microsecond) }},
	} {
		text := strings.TrimSpace(q.Get(d.field))
		if text == "" {
			continue
		}
		t, err := time.Parse(time.DateOnly, text)
		if err != nil {
			faults = append(faults, pages.FieldError{Field: d.field, Key: pages.ErrDate})
			continue
		}
		d.set(t)
	}
	if t, err := time.Parse(time.RFC3339Nano, q.Get("before")); err == nil {
		f.Before = t
	}
	return f, faults
}

func older(q url.Values, before time.Time) string {
	next := url.Values{}
	for k, v := range q {
		next[k] = v
	}
	next.Set("before", before.Format(time.RFC3339Nano))
	return next.Encode()
}

func without(q url.Values, name string) string {
	next := url.Values{}
	for k, v := range q {
		if k != name {
			next[k] = v
		}
	}
	return next.Encode()
}

// options lists the people and apps that appear among the latest events.
func (h *Handler) options(ctx context.Context, names *names, id session.Identity, patient string, q url.Values, f *pages.ActivityFilter) error {
	events, err := h.Read.Audits(ctx, audit.Filter{Tenant: id.Person.Tenant, Patient: patient, Kinds: shownKinds, Limit: 500})
	if err != nil {
		return err
	}
	add := func(list *[]pages.Option, value, label, chosen string) {
		if value == "" || label == "" || slices.ContainsFunc(*list, func(o pages.Option) bool { return o.Value == value }) {
			return
		}
		*list = append(*list, pages.Option{Value: value, Label: label, Selected: value == chosen})
	}
	for _, e := range events {
		add(&f.People, e.PersonID, names.person(ctx, e.PersonID), q.Get("person"))
		if e.ClientID != "" {
			add(&f.Apps, e.ClientID, names.client(ctx, e.ClientID).Name, q.Get("app"))
		}
	}
	for _, list := range [][]pages.Option{f.People, f.Apps} {
		slices.SortFunc(list, func(a, b pages.Option) int { return cmp.Compare(a.Label, b.Label) })
	}
	return nil
}

// visitGap is the longest pause between looks that still belong to one visit.
const visitGap = 30 * time.Minute

// entries turns events into sentences' parts. An app that opens a record asks
// for many kinds at once: the looks of one person with one app in one visit
// become one entry.
func (n *names) entries(ctx context.Context, id session.Identity, events []audit.Event) []pages.ActivityEntry {
	var out []pages.ActivityEntry
	visits := map[visit]*opened{}
	for _, e := range events {
		key := visit{e.PersonID, e.ClientID, e.Capacity.Acting, e.Kind == audit.FHIRRefused}
		look := act(e) == pages.ActLooked
		if v := visits[key]; look && v != nil && v.oldest.Sub(e.Time) <= visitGap {
			join(&out[v.entry], e)
			v.oldest = e.Time
			continue
		}
		entry := pages.ActivityEntry{
			At: e.Time, Who: n.person(ctx, e.PersonID), Self: e.PersonID == id.Person.ID,
			Relation: e.Capacity.Relationship, What: act(e), Kinds: kindsIn(e), Count: count(e),
			Refused: e.Kind == audit.FHIRRefused,
		}
		if e.ClientID != "" {
			entry.App = n.client(ctx, e.ClientID).Name
		}
		if e.Capacity.Kind == fhir.CapacitySystem {
			entry.Who = entry.App
		}
		if look {
			visits[key] = &opened{entry: len(out), oldest: e.Time}
		}
		out = append(out, entry)
	}
	return out
}

// visit is what looks must have in common to be told as one.
type visit struct {
	person, client string
	acting         fhir.Reference
	refused        bool
}

// opened is an entry that further looks of the same visit join.
type opened struct {
	entry  int
	oldest time.Time
}

// join adds a look to the entry of its visit.
func join(entry *pages.ActivityEntry, e audit.Event) {
	for _, k := range kindsIn(e) {
		if !slices.Contains(entry.Kinds, k) {
			entry.Kinds = append(entry.Kinds, k)
		}
	}
	if n := count(e); n >= 0 && entry.Count >= 0 {
		entry.Count += n
	}
}

// act gives what an event means to the patient.
func act(e audit.Event) pages.Act {
	switch {
	case e.Kind == audit.GrantCreated:
		return pages.ActAllowed
	case e.Kind == audit.GrantRevoked:
		return pages.ActEnded
	case e.Kind == audit.RecordCopied:
		return pages.ActCopied
	case e.Kind == audit.FHIRWrite && e.Action == "C":
		return pages.ActAdded
	case e.Kind == audit.FHIRWrite && e.Action == "D":
		return pages.ActDeleted
	case e.Kind == audit.FHIRWrite:
		return pages.ActChanged
	default:
		return pages.ActLooked
	}
}

// kindsIn names the kinds of data that an event is about.
func kindsIn(e audit.Event) []pages.KindRef {
	if e.Kind == audit.GrantCreated || e.Kind == audit.GrantRevoked {
		return nil
	}
	var out []pages.KindRef
	add := func(typ string) {
		if k := (pages.KindRef{Type: typ}); typ != "" && !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	add(e.Resource.Type)
	for _, d := range e.Delivered {
		if ref, ok := fhir.ParseReference(d); ok {
			add(ref.Type)
		}
	}
	return out
}

func count(e audit.Event) int {
	switch e.Kind {
	case audit.FHIRSearch, audit.FHIROperation, audit.RecordCopied:
		return e.Count
	case audit.FHIRRead, audit.FHIRWrite:
		return 1
	default:
		return -1
	}
}
