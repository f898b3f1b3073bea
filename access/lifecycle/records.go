package lifecycle

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

func noRecord() error {
	return errs.New(errs.NotFound, "record-not-found", "There is no such record.")
}

// Record gives the newest version of a record to who may read it. Errors:
// errs.NotFound for what is absent and for what is not theirs, alike.
func (s *Service) Record(ctx context.Context, a Actor, typ, id string) (evidence.Record, error) {
	r, err := s.Evidence.EvidenceByID(ctx, s.Tenant, id)
	if errs.Is(err, errs.NotFound) || err == nil && r.Type != typ {
		return evidence.Record{}, noRecord()
	}
	if err != nil {
		return evidence.Record{}, err
	}
	shown, ok := Readable(a, r)
	if !ok {
		return evidence.Record{}, noRecord()
	}
	return shown, nil
}

// RecordHistory gives the versions of a record, the newest first, that the actor
// may read; errors as of Record.
func (s *Service) RecordHistory(ctx context.Context, a Actor, typ, id string) ([]evidence.Record, error) {
	if _, err := s.Record(ctx, a, typ, id); err != nil {
		return nil, err
	}
	all, err := s.Evidence.EvidenceHistory(ctx, s.Tenant, id)
	if !Clinical(a.Person) && typ == evidence.TypeTask && len(all) > 0 {
		// How many steps there were tells of those that nobody may notice.
		all = all[:1]
	}
	return readableOf(a, all), err
}

// Records gives what the actor may read of what a filter selects. Errors:
// errs.Invalid for a filter that names neither patient, person nor focus.
func (s *Service) Records(ctx context.Context, a Actor, f evidence.Filter) ([]evidence.Record, error) {
	f.Tenant = s.Tenant
	switch patient := own(a.Person); {
	case Clinical(a.Person):
	case f.Type == evidence.TypeCeremony && patient != "" && (f.Patient == "" || f.Patient == patient):
		f.Patient = patient
	default:
		// Others find their own, by themselves.
		f.Person = a.Person.ID
	}
	all, err := s.Evidence.EvidenceOf(ctx, f)
	out := readableOf(a, all)
	// By what the reader is told of its time: a step that nobody may notice would move
	// its record otherwise.
	slices.SortStableFunc(out, func(a, b evidence.Record) int { return a.Updated.Compare(b.Updated) })
	return out, err
}

func readableOf(a Actor, all []evidence.Record) []evidence.Record {
	var out []evidence.Record
	for _, r := range all {
		if shown, ok := Readable(a, r); ok {
			out = append(out, shown)
		}
	}
	return out
}

// Readable is the rule of who reads evidence (A.1, the last column): staff who
// care for patients, except about themselves and their own; the submitter of a
// document that one; the patient how somebody agreed about the own record; who is to
// have access the status of the own Task and nothing else of it. Nobody else reads
// anything.
func Readable(a Actor, r evidence.Record) (evidence.Record, bool) {
	if r.Type == evidence.TypeCeremony && r.Patient != "" && r.Patient == own(a.Person) {
		return r, !a.Person.Disabled
	}
	if Clinical(a.Person) {
		return r, !concerned(a, r)
	}
	own := a.Person.ID != "" && r.Person == a.Person.ID && !a.Person.Disabled
	switch r.Type {
	case evidence.TypeDocument, evidence.TypeBinary:
		return r, own
	case evidence.TypeTask:
		return statusOnly(r), own
	}
	return evidence.Record{}, false
}

// concerned reports whether a record is about the reader or one of their own
// (TR-44).
func concerned(a Actor, r evidence.Record) bool {
	for _, i := range a.Person.Identities {
		if r.Patient != "" && i.Patient == r.Patient && (i.Resource.Type == "Patient" || i.Resource.Type == "RelatedPerson") {
			return true
		}
	}
	return r.Person == a.Person.ID && (r.Type == evidence.TypePerson || r.Type == evidence.TypeTask)
}

// statusOnly leaves of a Task what tells where it stands, not why nor who did it, nor
// when and how often something happened to it: a block behind an end shows in nothing
// (TF-14).
func statusOnly(r evidence.Record) evidence.Record {
	var all map[string]json.RawMessage
	// A stored record is an object.
	_ = json.Unmarshal(r.JSON, &all)
	kept := map[string]json.RawMessage{}
	for _, name := range []string{"resourceType", "id", "status", "intent", "authoredOn", "restriction"} {
		if v, ok := all[name]; ok {
			kept[name] = v
		}
	}
	kept["meta"] = json.RawMessage(`{"security":[{"system":"` + fhir.SystemConfidentiality + `","code":"R"}]}`)
	var task struct{ AuthoredOn time.Time }
	_ = json.Unmarshal(r.JSON, &task)
	r.Version, r.Updated = 1, task.AuthoredOn
	raw, err := json.Marshal(kept)
	if err != nil {
		return evidence.Record{}
	}
	r.JSON, r.Focus = raw, ""
	return r
}
