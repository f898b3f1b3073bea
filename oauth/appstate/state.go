package appstate

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// MaxBytes is the largest state that is kept, in bytes (APS-02).
const MaxBytes = 256 << 10

// MaxStates is how many states there may be of one code about one subject.
const MaxStates = 32

// Type is the resource type of every state.
const Type = "Basic"

// State is one state at its newest version; older ones are not kept.
type State struct {
	Tenant  string
	ID      string
	Version int
	// Code is "system|code", Subject such as "Patient/rosa" or empty for a state
	// about nobody.
	Code    string
	Subject string
	// ClientID is the app that wrote this version.
	ClientID string
	JSON     []byte
	Updated  time.Time
}

// Patient is the patient whom the state is about, "" for none; it is kept under
// that patient's key.
func (s State) Patient() string {
	if id, ok := strings.CutPrefix(s.Subject, "Patient/"); ok {
		return id
	}
	return ""
}

// subjectTypes are whom a state may be about (APS-02).
func subjectTypes() []string {
	return []string{"Patient", "Practitioner", "PractitionerRole", "RelatedPerson", "Person"}
}

// basic is what is read of a resource.
type basic struct {
	ID   string `json:"id"`
	Meta struct {
		VersionID string `json:"versionId"`
	} `json:"meta"`
	Subject *struct {
		Reference string `json:"reference"`
	} `json:"subject"`
	Code struct {
		Coding []struct {
			System string `json:"system"`
			Code   string `json:"code"`
		} `json:"coding"`
	} `json:"code"`
	Extension []map[string]json.RawMessage `json:"extension"`
}

func refuse(element, text string) error {
	return errs.Wrap(&FaultError{Element: element}, errs.Unprocessable, "app-state-refused", element+" "+text+".")
}

// FaultError names the element that keeps a state from being stored.
type FaultError struct{ Element string }

// Error gives the element.
func (e *FaultError) Error() string { return e.Element }

// Elements gives the element, for OperationOutcome.
func (e *FaultError) Elements() []string { return []string{e.Element} }

// parse judges a resource that the validator has passed. base is the FHIR base
// that references begin with. Errors: errs.Unprocessable naming the element.
func parse(raw []byte, base string) (b basic, code, subject string, err error) {
	if err := json.Unmarshal(raw, &b); err != nil {
		return b, "", "", errs.Wrap(err, errs.Invalid, "app-state-malformed", "The body is not a Basic resource.")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return b, "", "", errs.Wrap(err, errs.Invalid, "app-state-malformed", "The body is not a Basic resource.")
	}
	for _, name := range []string{"contained", "modifierExtension"} {
		if members[name] != nil {
			return b, "", "", refuse("Basic."+name, "is not kept in app state")
		}
	}
	if len(b.Code.Coding) != 1 || b.Code.Coding[0].Code == "" {
		return b, "", "", refuse("Basic.code.coding", "must be exactly one, with a code")
	}
	for _, x := range b.Extension {
		for name := range x {
			if !slices.Contains([]string{"url", "valueString", "id"}, name) {
				return b, "", "", refuse("Basic.extension", "may have valueString only")
			}
		}
	}
	if b.Subject != nil {
		var ok bool
		if subject, ok = Subject(b.Subject.Reference, base); !ok {
			return b, "", "", refuse("Basic.subject.reference", "must be an absolute reference to a person at "+base)
		}
	}
	return b, b.Code.Coding[0].System + "|" + b.Code.Coding[0].Code, subject, nil
}

// Subject takes the base from an absolute reference to one of the types that a
// state may be about; ok is false for any other.
func Subject(absolute, base string) (subject string, ok bool) {
	local, ok := strings.CutPrefix(absolute, base+"/")
	ref, valid := fhir.ParseReference(local)
	return local, ok && valid && slices.Contains(subjectTypes(), ref.Type)
}

// stamped gives the resource with its id and version, all else as it came.
func stamped(raw []byte, id, version string, at time.Time) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	meta := map[string]json.RawMessage{}
	if m := members["meta"]; m != nil {
		if err := json.Unmarshal(m, &meta); err != nil {
			return nil, err
		}
	}
	for name, v := range map[string]string{"versionId": version, "lastUpdated": at.UTC().Format(time.RFC3339Nano)} {
		text, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		meta[name] = text
	}
	var err error
	if members["id"], err = json.Marshal(id); err != nil {
		return nil, err
	}
	if members["meta"], err = json.Marshal(meta); err != nil {
		return nil, err
	}
	return json.Marshal(members)
}
