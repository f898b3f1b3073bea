package evidence

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// The types that are kept here.
const (
	TypePerson       = "Person"
	TypeDocument     = "DocumentReference"
	TypeBinary       = "Binary"
	TypeVerification = "VerificationResult"
	TypeTask         = "Task"
	TypeProvenance   = "Provenance"
	TypeObservation  = "Observation"
	TypeFlag         = "Flag"
	// TypeCeremony is what was shown and answered when somebody agreed (RS-06).
	TypeCeremony = "QuestionnaireResponse"
)

// Types lists what is kept here, in the order of the requirements.
func Types() []string {
	return []string{
		TypePerson, TypeDocument, TypeBinary, TypeCeremony, TypeTask, TypeVerification, TypeObservation, TypeFlag, TypeProvenance,
	}
}

// SystemAccount says that an identifier names an account of this server (RP-05),
// SystemClient that it names a client, SystemTenant a tenant of this server.
const (
	SystemAccount = fhir.Canonical + "/NamingSystem/account"
	SystemClient  = fhir.Canonical + "/NamingSystem/client"
	SystemTenant  = fhir.Canonical + "/NamingSystem/tenant"
)

// Record is one version of one resource. JSON holds the exact FHIR bytes; the
// other fields are read from it when it is stored, or given by who stores it.
type Record struct {
	Tenant string
	Type   string
	// ID is unique among all records of the tenant, of whatever type.
	ID      string
	Version int
	// Patient is the logical id of the patient; empty for a Person.
	Patient string
	// Person is the account for which or by which it was written: the submitter of
	// a document, the human of a Person, the one whose way a Task describes, who
	// answered a page.
	Person string
	// Focus is the resource that it speaks about, such as Consent/x; may be empty.
	Focus  string
	Status string
	// JSON holds the exact bytes.
	JSON    []byte
	Updated time.Time
}

// Reference gives Type/id.
func (r Record) Reference() fhir.Reference { return fhir.Reference{Type: r.Type, ID: r.ID} }

// reference is a Reference as records write it.
type reference struct {
	Reference  string `json:"reference"`
	Identifier struct {
		System string `json:"system"`
		Value  string `json:"value"`
	} `json:"identifier"`
}

func (r reference) account() string {
	if r.Identifier.System == SystemAccount {
		return r.Identifier.Value
	}
	return ""
}

// columns is what is read of a resource of any of the types.
type columns struct {
	Type   string          `json:"resourceType"`
	ID     string          `json:"id"`
	Status string          `json:"status"`
	Active *bool           `json:"active"`
	For    reference       `json:"for"`
	About  json.RawMessage `json:"subject"`
	Focus  json.RawMessage `json:"focus"`
	// Target of a Provenance or a VerificationResult.
	Target          []reference                      `json:"target"`
	Agent           []struct{ OnBehalfOf reference } `json:"agent"`
	Author          json.RawMessage                  `json:"author"`
	Owner           reference                        `json:"owner"`
	Identifier      json.RawMessage                  `json:"identifier"`
	SecurityContext reference                        `json:"securityContext"`
	Context         struct{ Related []reference }    `json:"context"`
	Extension       []struct {
		URL   string    `json:"url"`
		Value reference `json:"valueReference"`
	} `json:"extension"`
}

// Parse reads the columns of a valid resource; JSON, version and time are the
// caller's. Errors: errs.Invalid naming the element: another type, no patient of
// this server where the type is about one.
func Parse(raw []byte) (Record, error) {
	out, path, err := parse(raw)
	if err == nil && out.Patient == "" && path != "" {
		err = Fault(path, "must name a patient of this server")
	}
	return out, err
}

// parse is Parse for who knows the patient: path is the element that must name
// one, "" where none must.
func parse(raw []byte) (out Record, path string, err error) {
	// Repeated members would let two readers see two records.
	if _, err := view.Scan(raw); err != nil {
		return Record{}, "", err
	}
	// An element that has another form in another type is read by its own type only.
	var in columns
	if err := json.Unmarshal(raw, &in); err != nil {
		return Record{}, "", errs.Wrap(err, errs.Invalid, "record-malformed", "The resource cannot be read.")
	}
	if !slices.Contains(Types(), in.Type) {
		return Record{}, "", Fault("resourceType", "must be one of "+strings.Join(Types(), ", "))
	}
	out = Record{Type: in.Type, ID: in.ID, Status: in.Status}
	return out, in.read(&out), nil
}

// read fills the columns by the type, and gives the element that must name the
// patient, "" where none must.
func (in *columns) read(out *Record) (path string) {
	switch in.Type {
	case TypePerson:
		out.Status, out.Person = "inactive", account(in.Identifier)
		if in.Active != nil && *in.Active {
			out.Status = "active"
		}
		return ""
	case TypeBinary:
		out.Focus = local(in.SecurityContext)
		return ""
	case TypeTask:
		out.Patient, out.Focus, out.Person = patient(in.For), local(one(in.Focus)), in.Owner.account()
		return "Task.for"
	case TypeDocument:
		out.Patient = patient(one(in.About))
		out.Person = submitter(in.Author)
		for _, r := range in.Context.Related {
			out.Focus = local(r)
		}
		return "DocumentReference.subject"
	case TypeCeremony:
		out.Patient, out.Person = patient(one(in.About)), one(in.Author).account()
		for _, e := range in.Extension {
			if e.URL == extensionCeremony && out.Focus == "" {
				out.Focus = local(e.Value)
			}
		}
		return "QuestionnaireResponse.subject"
	case TypeVerification:
		in.targets(out)
		return "VerificationResult.target"
	case TypeProvenance:
		in.targets(out)
		for _, a := range in.Agent {
			if out.Patient == "" {
				out.Patient = patient(a.OnBehalfOf)
			}
		}
		return "Provenance.agent.onBehalfOf"
	}
	out.Patient = patient(one(in.About))
	return in.Type + ".subject"
}

// targets reads a list that may name the patient beside what it speaks about.
func (in *columns) targets(out *Record) {
	for _, t := range in.Target {
		if p := patient(t); p != "" {
			out.Patient = p
		} else if out.Focus == "" {
			out.Focus = local(t)
		}
	}
}

// one reads a single reference, where other types have a list.
func one(raw json.RawMessage) (r reference) {
	// What is no single reference names nobody.
	_ = json.Unmarshal(raw, &r)
	return r
}

// submitter gives the account of an author, who is one of a list.
func submitter(raw json.RawMessage) string {
	var list []reference
	_ = json.Unmarshal(raw, &list)
	for _, a := range list {
		if who := a.account(); who != "" {
			return who
		}
	}
	return ""
}

func account(raw json.RawMessage) string {
	var list []struct{ System, Value string }
	_ = json.Unmarshal(raw, &list)
	for _, i := range list {
		if i.System == SystemAccount {
			return i.Value
		}
	}
	return ""
}

func patient(r reference) string {
	ref, ok := fhir.ParseReference(r.Reference)
	if !ok || ref.Type != "Patient" {
		return ""
	}
	return ref.ID
}

// local gives "Type/id" of a reference to this server, without its version.
func local(r reference) string {
	ref, ok := fhir.ParseReference(r.Reference)
	if !ok {
		return ""
	}
	return ref.String()
}

// Fault names an element.
func Fault(path, text string) error {
	return errs.New(errs.Invalid, "record-invalid", path+" "+text+".")
}

// Next gives the record as the version after one, stamped with its id, version and
// time.
func (r Record) Next(after int, at time.Time) (Record, error) {
	r.Version, r.Updated = after+1, at.UTC().Truncate(time.Microsecond)
	raw, err := view.Stamp(r.JSON, r.ID, r.Version, r.Updated)
	r.JSON = raw
	return r, err
}
