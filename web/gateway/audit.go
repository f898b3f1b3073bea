package gateway

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir/compartment"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/internal/errs"
)

// DetailRule is the name under which the event of a refused request says which
// rule refused it.
const DetailRule = "rule"

// maxDelivered is how many references one event lists.
const maxDelivered = 1000

// conclude records the interaction and gives the error to answer with: the
// interaction's own, or errs.Unavailable when the event, or who wrote for a patient,
// could not be made durable.
func (a *act) conclude(failure error) error {
	err := a.record(failure)
	if err == nil && failure == nil {
		err = a.witness()
	}
	if err != nil {
		return errs.Wrap(err, errs.Unavailable, "audit-unavailable", "The access could not be recorded and is refused.")
	}
	return failure
}

// record writes one event for each patient whose data left, one in all when
// that is nobody's or one patient's.
func (a *act) record(failure error) error {
	e := a.event(failure)
	patients := a.patients()
	if len(patients) < 2 {
		if len(patients) == 1 {
			e.Patient = patients[0]
		}
		e.Delivered, e.Count = a.listDelivered("")
		return a.x.g.d.Recorder.Record(a.x.ctx, e)
	}
	events := make([]audit.Event, len(patients))
	for i, p := range patients {
		events[i] = e
		events[i].Patient = p
		events[i].Delivered, events[i].Count = a.listDelivered(p)
	}
	return a.recordAll(events)
}

// recordAll hands the events over at once: the queue makes them durable
// together.
func (a *act) recordAll(events []audit.Event) error {
	failures := make([]error, len(events))
	var all sync.WaitGroup
	for i := range events {
		all.Go(func() { failures[i] = a.x.g.d.Recorder.Record(a.x.ctx, events[i]) })
	}
	all.Wait()
	return errors.Join(failures...)
}

func (a *act) event(failure error) audit.Event {
	e := a.x.origin
	e.Time = a.x.g.d.Clock.Now()
	e.Kind, e.Action = kindOf(a.req)
	e.Outcome = audit.Success
	e.Resource = a.req.Target()
	if !a.made.IsZero() {
		e.Resource = a.made
	}
	if e.Resource.IsZero() && a.req.Type != "" && a.req.Type != rest.AnyType {
		e.Resource.Type = a.req.Type
	}
	e.ResourceVersion, e.Query, e.Consents = a.version, blanked(a.req), a.authority()
	a.tellWould(&e)
	if failure == nil {
		a.tellScopes(&e)
		return e
	}
	e.Outcome, e.Reason = audit.MinorFailure, errs.As(failure).Code
	switch errs.KindOf(failure) {
	case errs.Forbidden, errs.NotFound, errs.Unauthenticated:
		e.Kind = audit.FHIRRefused
		if a.reason.Code != "" {
			e.Reason = a.reason.Code
		}
		if a.reason.Rule != "" {
			e.Detail = maps.Clone(e.Detail)
			if e.Detail == nil {
				e.Detail = map[string]string{}
			}
			e.Detail[DetailRule] = a.reason.Rule
		}
	case errs.Internal, errs.Upstream, errs.Unavailable:
		e.Outcome = audit.SeriousFailure
	}
	a.delivered = nil
	return e
}

// authority lists the Consents under which the act took place: those that the
// decisions named, and those on which the grant rests.
func (a *act) authority() []string {
	out := slices.Clone(a.consents)
	for _, c := range a.x.bearer.Grant.Basis() {
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

func kindOf(r rest.Request) (audit.Kind, string) {
	if r.Type == access.LogType {
		// Reading the log is itself an access (AU-20).
		return audit.AuditRead, "R"
	}
	switch r.Interaction {
	case rest.Read, rest.VRead, rest.HistoryInstance:
		return audit.FHIRRead, "R"
	case rest.SearchType, rest.SearchCompartment, rest.SearchSystem, rest.HistoryType, rest.HistorySystem:
		return audit.FHIRSearch, "E"
	case rest.Create:
		return audit.FHIRWrite, "C"
	case rest.Delete, rest.ConditionalDelete:
		return audit.FHIRWrite, "D"
	case rest.Update, rest.Patch, rest.ConditionalUpdate, rest.ConditionalPatch:
		return audit.FHIRWrite, "U"
	}
	return audit.FHIROperation, "E"
}

// patients lists whom the delivered resources are about, each once.
func (a *act) patients() []string {
	out := slices.Clone(a.subjects)
	for _, d := range a.delivered {
		for _, p := range d.patients {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// listDelivered gives what left about one patient, or all when it is "".
// What is about nobody is told to everybody.
func (a *act) listDelivered(patient string) (refs []string, count int) {
	for _, d := range a.delivered {
		if patient != "" && len(d.patients) > 0 && !slices.Contains(d.patients, patient) {
			continue
		}
		count++
		if len(refs) < maxDelivered {
			refs = append(refs, d.ref.String())
		}
	}
	return refs, count
}

// blanked gives the search with the values of free text and identifiers left
// out: the log holds no names (AR-05).
func blanked(r rest.Request) string {
	var parts []string
	for _, p := range r.Query {
		name := p.Name
		if p.Modifier != "" {
			name += ":" + p.Modifier
		}
		if p.Chain != "" {
			name += "." + p.Chain
		}
		value := "***"
		if p.Chain == "" && !freeText(p.Modifier) && loggable(r.Type, p.Name) {
			value = strings.Join(p.Values, ",")
		}
		parts = append(parts, url.QueryEscape(name)+"="+url.QueryEscape(value))
	}
	return strings.Join(parts, "&")
}

// freeText reports whether a modifier makes the value of any parameter a text or
// an identifier.
func freeText(modifier string) bool {
	switch modifier {
	case "text", "contains", "exact", "identifier", "of-type":
		return true
	}
	return false
}

func loggable(typ, name string) bool {
	switch name {
	case "_id", "_count", "_sort", "_include", "_revinclude", "_summary", "_total", "_elements", "_lastUpdated", "_type", "_since", "_profile", "_tag":
		return true
	case "identifier", "birthdate", "death-date", "telecom", "phone", "email":
		return false
	}
	_, known := compartment.Find(typ, name)
	return known
}
