package records

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/problem"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Path is where the records are.
const Path = "/records"

// Deps is what the handlers work with.
type Deps struct {
	Life    *lifecycle.Service
	Session *session.Manager
	Problem *problem.Writer
	// Notices gives what people were told, in the words of a language.
	Notices Notices
	// Lang gives the language of a request.
	Lang func(*http.Request) string
	// Base is the address of Path as clients know it.
	Base      string
	Recorder  audit.Recorder
	RequestID func(*http.Request) string
	Clock     clock.Clock
}

// Routes lists what the package serves.
func (d Deps) Routes() []route.Route {
	on := func(path string, f func(*http.Request, lifecycle.Actor) (found, error)) route.Route {
		return route.Route{
			Method: http.MethodGet, Path: Path + path, Auth: route.Session, PHI: route.Record, Limit: "page", Owner: "web/records",
			Handler: d.Session.Protect(d.Session.Load(d.Session.For(identity.ActConsole)(d.serve(f)))),
		}
	}
	return []route.Route{
		{
			Method: http.MethodGet, Path: Path + "/metadata", Auth: route.None, PHI: route.NoPHI, Limit: "page", Owner: "web/records",
			Reason: "says what can be asked for here; the same for everybody", Handler: http.HandlerFunc(d.metadata),
		},
		on("/"+evidence.TypeNotice, d.notices), on("/"+evidence.TypeNotice+"/{id}", d.notice),
		on("/"+evidence.TypeNotice+"/{id}/_history", d.noticeHistory), on("/"+evidence.TypeNotice+"/{id}/_history/{version}", d.noticeVersion),
		on("/{type}", d.search), on("/{type}/{id}", d.read), on("/{type}/{id}/_history", d.history), on("/{type}/{id}/_history/{version}", d.version),
	}
}

// found is an answer: one record, or a Bundle of some.
type found struct {
	all    []evidence.Record
	bundle string
}

func (d Deps) serve(f func(*http.Request, lifecycle.Actor) (found, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem.NoStore(w)
		id, _ := session.From(r)
		a := lifecycle.Actor{Person: id.Person, Origin: audit.Event{
			SessionID: id.Session.Hash, Network: d.Session.Address(r), RequestID: d.RequestID(r),
		}}
		out, err := f(r, a)
		if err == nil || errs.Is(err, errs.NotFound) {
			if failed := d.record(r, a, out, err); failed != nil {
				err = failed
			}
		}
		if err != nil {
			d.Problem.FHIR(w, r, err)
			return
		}
		d.write(w, r, out)
	})
}

// record tells the log who read what, or tried to.
func (d Deps) record(r *http.Request, a lifecycle.Actor, out found, refused error) error {
	e := a.Origin
	e.Tenant, e.Time, e.Kind, e.Action, e.Outcome = d.Life.Tenant, d.Clock.Now(), audit.FHIRRead, "R", audit.Success
	e.PersonID, e.Resource = a.Person.ID, fhir.Reference{Type: typeOf(r), ID: idOf(r)}
	if out.bundle == "searchset" {
		e.Kind, e.Action = audit.FHIRSearch, "E"
	}
	if refused != nil {
		e.Kind, e.Outcome, e.Reason = audit.FHIRRefused, audit.MinorFailure, errs.As(refused).Code
	}
	for i, one := range out.all {
		if i == 0 {
			e.Patient = one.Patient
		} else if one.Patient != e.Patient {
			e.Patient = "" // notices may be about several
		}
		e.Delivered = append(e.Delivered, one.Reference().String())
	}
	e.Count = len(out.all)
	if err := d.Recorder.Record(r.Context(), e); err != nil {
		return errs.Wrap(err, errs.Unavailable, "audit-unavailable", "The access could not be recorded and is refused.")
	}
	return nil
}

// typeOf and idOf read the path; what is no FHIR type or id is nobody's.
func typeOf(r *http.Request) string {
	typ := mux.Vars(r)["type"]
	if typ == "" {
		// The routes of notices have no other.
		return evidence.TypeNotice
	}
	if fhir.ValidType(typ) {
		return typ
	}
	return ""
}

func idOf(r *http.Request) string {
	if id := mux.Vars(r)["id"]; fhir.ValidID(id) {
		return id
	}
	return ""
}

func (d Deps) read(r *http.Request, a lifecycle.Actor) (found, error) {
	one, err := d.Life.Record(r.Context(), a, typeOf(r), idOf(r))
	if err != nil {
		return found{}, err
	}
	return found{all: []evidence.Record{one}}, nil
}

func (d Deps) history(r *http.Request, a lifecycle.Actor) (found, error) {
	all, err := d.Life.RecordHistory(r.Context(), a, typeOf(r), idOf(r))
	return found{all, "history"}, err
}

func (d Deps) version(r *http.Request, a lifecycle.Actor) (found, error) {
	all, err := d.Life.RecordHistory(r.Context(), a, typeOf(r), idOf(r))
	for _, one := range all {
		if strconv.Itoa(one.Version) == mux.Vars(r)["version"] {
			return found{all: []evidence.Record{one}}, nil
		}
	}
	if err == nil {
		err = errs.New(errs.NotFound, "record-not-found", "There is no such record.")
	}
	return found{}, err
}

// search takes patient and focus, and for the own records nothing.
func (d Deps) search(r *http.Request, a lifecycle.Actor) (found, error) {
	f := evidence.Filter{Type: typeOf(r)}
	for name, values := range r.URL.Query() {
		if len(values) != 1 {
			return found{}, errs.New(errs.Invalid, "search-parameter-unknown", "Each search parameter may be there once.")
		}
		switch name {
		case "patient", "subject", "for":
			f.Patient = strings.TrimPrefix(values[0], "Patient/")
		case "target", "focus":
			f.Focus = values[0]
		default:
			return found{}, errs.New(errs.Invalid, "search-parameter-unknown", "Search by patient, or by target or focus.")
		}
	}
	if f.Type == "" {
		return found{}, errs.New(errs.NotFound, "record-not-found", "There is no such record.")
	}
	all, err := d.Life.Records(r.Context(), a, f)
	return found{all, "searchset"}, err
}

func (d Deps) write(w http.ResponseWriter, _ *http.Request, out found) {
	w.Header().Set("Content-Type", "application/fhir+json; charset=utf-8")
	if out.bundle == "" {
		one := out.all[0]
		w.Header().Set("ETag", `W/"`+strconv.Itoa(one.Version)+`"`)
		_, _ = w.Write(one.JSON)
		return
	}
	type entry struct {
		FullURL  string            `json:"fullUrl"`
		Resource json.RawMessage   `json:"resource"`
		Request  map[string]string `json:"request,omitempty"`
		Response map[string]string `json:"response,omitempty"`
	}
	bundle := struct {
		ResourceType string  `json:"resourceType"`
		Type         string  `json:"type"`
		Total        int     `json:"total"`
		Entry        []entry `json:"entry,omitempty"`
	}{"Bundle", out.bundle, len(out.all), nil}
	for _, one := range out.all {
		e := entry{FullURL: d.Base + "/" + one.Reference().String(), Resource: one.JSON}
		if out.bundle == "history" {
			e.Request = map[string]string{"method": "PUT", "url": one.Reference().String()}
			e.Response = map[string]string{"status": "200", "etag": `W/"` + strconv.Itoa(one.Version) + `"`}
		}
		bundle.Entry = append(bundle.Entry, e)
	}
	_ = json.NewEncoder(w).Encode(bundle)
}
