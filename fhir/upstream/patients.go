package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// Demographics is what pages say about a patient.
type Demographics struct {
	ID   string
	Name string
	// BirthDate is a FHIR date.
	BirthDate string
	Gender    string
	// RecordNumber is the medical record number, empty when there is none.
	RecordNumber string
	Deceased     bool
}

type patientJSON struct {
	ID   string `json:"id"`
	Name []struct {
		Use    string   `json:"use"`
		Text   string   `json:"text"`
		Given  []string `json:"given"`
		Family string   `json:"family"`
	} `json:"name"`
	BirthDate  string `json:"birthDate"`
	Gender     string `json:"gender"`
	Identifier []struct {
		Type struct {
			Coding []fhir.Coding `json:"coding"`
		} `json:"type"`
		Value string `json:"value"`
	} `json:"identifier"`
	DeceasedBoolean  bool   `json:"deceasedBoolean"`
	DeceasedDateTime string `json:"deceasedDateTime"`
}

// ParseDemographics reads a Patient, RelatedPerson or Practitioner. Errors:
// errs.Invalid for malformed JSON.
func ParseDemographics(raw []byte) (Demographics, error) {
	var p patientJSON
	if err := json.Unmarshal(raw, &p); err != nil {
		return Demographics{}, errs.Wrap(err, errs.Invalid, "resource-malformed", "The resource is not valid JSON.")
	}
	d := Demographics{
		ID: p.ID, BirthDate: p.BirthDate, Gender: p.Gender,
		Deceased: p.DeceasedBoolean || p.DeceasedDateTime != "",
	}
	for _, n := range p.Name {
		text := n.Text
		if text == "" {
			text = strings.TrimSpace(strings.Join(n.Given, " ") + " " + n.Family)
		}
		if d.Name == "" || n.Use == "official" {
			d.Name = text
		}
	}
	for _, id := range p.Identifier {
		for _, c := range id.Type.Coding {
			if c.Code == "MR" {
				d.RecordNumber = id.Value
			}
		}
	}
	return d, nil
}

// Patient gives what pages say about one patient. Errors: errs.NotFound;
// errs.Upstream, also for an answer that is not this Patient.
func (c *Client) Patient(ctx context.Context, id string) (Demographics, error) {
	d, _, err := c.patient(ctx, id)
	return d, err
}

// patient is Patient with the resource.
func (c *Client) patient(ctx context.Context, id string) (Demographics, []byte, error) {
	raw, err := c.Read(ctx, fhir.Reference{Type: "Patient", ID: id})
	if err != nil {
		return Demographics{}, nil, err
	}
	d, err := ParseDemographics(raw)
	if err != nil || d.ID != id {
		return Demographics{}, nil, errs.Wrap(err, errs.Upstream, "upstream-other-resource", "The FHIR server behind Mandate gave another resource than asked for.")
	}
	return d, raw, nil
}

// FindPatients gives up to limit patients whose name begins with the text, by
// name; more says that there were others. Errors: errs.Upstream.
func (c *Client) FindPatients(ctx context.Context, name string, limit int) (found []Demographics, more bool, err error) {
	params := url.Values{"_count": {"50"}, "_sort": {"family"}}
	if name != "" {
		params.Set("name", name)
	}
	err = c.Search(ctx, "Patient", params, func(raw []byte) error {
		if len(found) == limit {
			more = true
			return errStop
		}
		d, err := ParseDemographics(raw)
		if err != nil {
			return err
		}
		found = append(found, d)
		return nil
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return found, more, err
}

// PatientByNumber gives the one patient with a medical record number and a birth
// date; ok is false for none and for several. Errors: errs.Upstream.
func (c *Client) PatientByNumber(ctx context.Context, number, born string) (found Demographics, ok bool, err error) {
	n := 0
	err = c.Search(ctx, "Patient", url.Values{"identifier": {number}, "birthdate": {born}, "_count": {"10"}}, func(raw []byte) error {
		d, err := ParseDemographics(raw)
		if err != nil {
			return err
		}
		if d.RecordNumber == number && d.BirthDate == born {
			found, n = d, n+1
		}
		return nil
	})
	return found, err == nil && n == 1, err
}

// errStop ends a search early; it never leaves this package.
var errStop = errors.New("upstream: enough found")

// CurrentEncounter gives the id of the patient's encounter in progress, or
// else of the latest one; "" when there is none. Errors: errs.Upstream.
func (c *Client) CurrentEncounter(ctx context.Context, patient string) (string, error) {
	var current, latest, latestStart string
	err := c.Search(ctx, "Encounter", url.Values{"patient": {"Patient/" + patient}, "_count": {"200"}}, func(raw []byte) error {
		var e struct {
			ID     string `json:"id"`
			Status string `json:"status"`
			Period struct {
				Start string `json:"start"`
			} `json:"period"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			return errs.Wrap(err, errs.Upstream, "upstream-malformed", "The FHIR server's answer is not a valid Encounter.")
		}
		if e.Status == "in-progress" {
			current = e.ID
		}
		if e.Period.Start >= latestStart {
			latest, latestStart = e.ID, e.Period.Start
		}
		return nil
	})
	if current == "" {
		current = latest
	}
	return current, err
}
