package records

import (
	"context"
	"slices"
	"strconv"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/adminapi/call"
	"github.com/mandate-health/mandate/web/route"
)

// Deps is what the API works with.
type Deps struct {
	call.Desk
	Read evidence.Reader
	Life *lifecycle.Service
	// Told gives what an account was told, as its portal tells it. Errors: errs.NotFound
	// without such an account.
	Told func(ctx context.Context, account string) ([]evidence.Record, error)
	// Recorder takes the event of every look.
	Recorder audit.Recorder
}

// Routes lists what the package serves.
func (d Deps) Routes() []route.Route {
	spec := func(method, path, id, summary string) call.Spec {
		return call.Spec{Method: method, Path: path, ID: id, Summary: summary, Owner: "web/adminapi/records", PHI: route.Record}
	}
	read := spec("GET", "/admin/records/{id}", "readRecord", "Reads a record, as it stands or one version of it.")
	read.Tag = true
	save := spec("PUT", "/admin/records/{id}", "saveRecord", "Saves a record of another system. No decision reads it.")
	save.Match, save.Tag = true, true
	save.Detail = "A Person, DocumentReference, Binary, Task, VerificationResult, Observation or Flag. What Mandate writes itself is not changed."
	return []route.Route{
		call.On(d.Desk, spec("GET", "/admin/records", "listRecords", "Lists the records about a patient, of an account, or about a resource."), d.list),
		call.On(d.Desk, read, d.read),
		call.On(d.Desk, spec("GET", "/admin/records/{id}/history", "recordHistory", "Lists all versions of a record, the newest first."), d.history),
		call.On(d.Desk, save, d.save),
	}
}

type query struct {
	Type    string `json:"type,omitempty" jsonschema:"FHIR type, such as Task. Communication lists what an account was told."`
	Patient string `json:"patient,omitempty" jsonschema:"Id of the patient."`
	Account string `json:"account,omitempty" jsonschema:"Id of the account: the submitter of a document, the human of a Person, whose way a Task describes."`
	Focus   string `json:"focus,omitempty" jsonschema:"What the record speaks about, such as Consent/ID: the Provenances of its versions."`
}

// List is records, the oldest first.
type List struct {
	Records []call.Resource `json:"records" jsonschema:"FHIR R4 resources."`
}

func listOf(all []evidence.Record) List {
	out := List{Records: []call.Resource{}}
	for _, r := range all {
		out.Records = append(out.Records, r.JSON)
	}
	return out
}

func (d Deps) list(ctx context.Context, in *call.In[query, route.Empty]) (List, error) {
	all, err := d.selected(ctx, in.Query)
	if err != nil {
		return List{}, err
	}
	e := in.By
	e.Kind, e.Action, e.Patient, e.Resource.Type = audit.FHIRSearch, "E", in.Query.Patient, in.Query.Type
	return listOf(all), d.record(ctx, e, all)
}

// selected gives the records of a query. What somebody was told is no record, and is
// found by whom it was told to.
func (d Deps) selected(ctx context.Context, q query) ([]evidence.Record, error) {
	if q.Type != evidence.TypeNotice {
		return d.Read.EvidenceOf(ctx, evidence.Filter{Tenant: d.Tenant, Type: q.Type, Patient: q.Patient, Person: q.Account, Focus: q.Focus})
	}
	if q.Account == "" || q.Patient != "" || q.Focus != "" {
		return nil, errs.New(errs.Invalid, "search-too-wide", "A search for a Communication needs the account that was told, and nothing else.")
	}
	all, err := d.Told(ctx, q.Account)
	slices.Reverse(all)
	return all, err
}

type version struct {
	Version string `json:"version,omitempty" jsonschema:"Number of the version; left out for the newest."`
}

func (d Deps) read(ctx context.Context, in *call.In[version, route.Empty]) (call.Resource, error) {
	all, err := d.Read.EvidenceHistory(ctx, d.Tenant, in.ID)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		number := strconv.Itoa(r.Version)
		if in.Query.Version != "" && number != in.Query.Version {
			continue
		}
		in.Tag(number)
		return r.JSON, d.looked(ctx, in.By, r)
	}
	return nil, errs.New(errs.NotFound, "record-not-found", "There is no such record.")
}

func (d Deps) history(ctx context.Context, in *call.In[route.Empty, route.Empty]) (List, error) {
	all, err := d.Read.EvidenceHistory(ctx, d.Tenant, in.ID)
	if err != nil {
		return List{}, err
	}
	return listOf(all), d.looked(ctx, in.By, all[0])
}

// looked records that somebody read a record.
func (d Deps) looked(ctx context.Context, e audit.Event, r evidence.Record) error {
	e.Kind, e.Action, e.Patient, e.Resource, e.ResourceVersion = audit.FHIRRead, "R", r.Patient, r.Reference(), strconv.Itoa(r.Version)
	return d.record(ctx, e, []evidence.Record{r})
}

func (d Deps) record(ctx context.Context, e audit.Event, all []evidence.Record) error {
	e.Outcome, e.Count = audit.Success, len(all)
	for _, r := range all {
		e.Delivered = append(e.Delivered, fhir.Reference{Type: r.Type, ID: r.ID}.String())
	}
	if err := d.Recorder.Record(ctx, e); err != nil {
		return errs.Wrap(err, errs.Unavailable, "audit-unavailable", "The access could not be recorded and is refused.")
	}
	return nil
}

func (d Deps) save(ctx context.Context, in *call.In[route.Empty, call.Resource]) (call.Resource, error) {
	n, err := in.Version()
	if err != nil {
		return nil, err
	}
	r, err := d.Life.SaveRecord(ctx, lifecycle.Saving{ID: in.ID, IfVersion: n, Raw: in.Body, Origin: in.By})
	if err == nil {
		in.Tag(strconv.Itoa(r.Version))
	}
	return r.JSON, err
}
