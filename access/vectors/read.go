package vectors

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// Bundle holds the resources on which answers rest.
type Bundle struct {
	consents []consent.Consent
	// relations holds the RelatedPersons by reference, as they were written: in
	// which zone their dates count depends on the question.
	relations map[fhir.Reference][][]byte
	zone      *time.Location
}

// Vector is one question as it stands in a file.
type Vector struct {
	ID      string   `json:"id"`
	Patient string   `json:"patient"`
	Actors  []string `json:"actors"`
	// Capacity is one of fhir.CapacityKind. Empty is told from the purpose.
	Capacity fhir.CapacityKind `json:"capacity"`
	Purpose  string            `json:"purpose"`
	// Function is a portal-function code; empty means view.
	Function   string   `json:"function"`
	At         string   `json:"at"`
	SafetyHold bool     `json:"safety_hold"`
	Resource   Resource `json:"resource"`
	// Expect and Reason are what the file says the answer is; empty when it
	// does not say.
	Expect string `json:"expect"`
	Reason string `json:"reason"`

	// fault says what of the vector could not be read; "" for nothing.
	fault string
}

// Resource is the resource of a question.
type Resource struct {
	Type   string  `json:"type"`
	ID     string  `json:"id"`
	Labels codes   `json:"labels"`
	Cat    codes   `json:"cat"`
	Code   codes   `json:"code"`
	Author strs    `json:"author"`
	Refs   strs    `json:"references"`
	Date   instant `json:"date"`
}

// codes is a list of codings; one alone, and codes without a system, are read
// too. Which system a bare code belongs to depends on where it stands.
type codes []fhir.Coding

// UnmarshalJSON implements json.Unmarshaler.
func (c *codes) UnmarshalJSON(raw []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		list = []json.RawMessage{raw}
	}
	for _, one := range list {
		var bare string
		var coding fhir.Coding
		if json.Unmarshal(one, &bare) == nil {
			coding.Code = bare
		} else if err := json.Unmarshal(one, &coding); err != nil {
			return err
		}
		if coding.Code != "" {
			*c = append(*c, coding)
		}
	}
	return nil
}

// strs is a list of strings; one alone is read too.
type strs []string

// UnmarshalJSON implements json.Unmarshaler.
func (s *strs) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*s = nil
		if one != "" {
			*s = strs{one}
		}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(s))
}

// instant is a FHIR date of any precision.
type instant string

// period gives the date as a range; ok is false when it is none.
func (d instant) period() (fhir.Period, bool) { return fhir.ParseDate(string(d)) }

// ReadBundle reads the Consents and RelatedPersons of a file: a FHIR Bundle, a
// list of resources, resources one after the other, or one alone. Resources of
// other types are passed over. A Consent that cannot be understood denies, as it
// does in the store. The zone is where the patients live; nil takes what each Consent
// writes. Errors: errs.Invalid for what is not JSON and for a file
// without a Consent.
func ReadBundle(raw []byte, zone *time.Location) (*Bundle, error) {
	b := &Bundle{relations: map[fhir.Reference][][]byte{}, zone: zone}
	dec := json.NewDecoder(bytes.NewReader(raw))
	for {
		var value json.RawMessage
		err := dec.Decode(&value)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errs.Wrap(err, errs.Invalid, "vectors-bundle", "The bundle is not JSON.")
		}
		if err := b.add(value); err != nil {
			return nil, err
		}
	}
	if len(b.consents) == 0 {
		return nil, errs.New(errs.Invalid, "vectors-bundle", "The bundle holds no Consent.")
	}
	b.consents = newest(b.consents)
	return b, nil
}

func (b *Bundle) add(raw json.RawMessage) error {
	if trimmed := bytes.TrimLeft(raw, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '[' {
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return errs.Wrap(err, errs.Invalid, "vectors-bundle", "The bundle is not JSON.")
		}
		for _, one := range list {
			if err := b.add(one); err != nil {
				return err
			}
		}
		return nil
	}
	var head struct {
		Type  string `json:"resourceType"`
		ID    string `json:"id"`
		Entry []struct {
			Resource json.RawMessage `json:"resource"`
		} `json:"entry"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return errs.Wrap(err, errs.Invalid, "vectors-bundle", "The bundle holds something that is no resource.")
	}
	switch head.Type {
	case "Bundle":
		for _, e := range head.Entry {
			if len(e.Resource) == 0 {
				continue
			}
			if err := b.add(e.Resource); err != nil {
				return err
			}
		}
	case "Consent":
		// The value that comes with an error denies.
		c, _ := consent.ParseIn(raw, b.zone)
		c.Version = max(c.Version, 1)
		b.consents = append(b.consents, c)
	case "RelatedPerson":
		ref := fhir.Reference{Type: head.Type, ID: head.ID}
		b.relations[ref] = append(b.relations[ref], raw)
	case "":
		return errs.New(errs.Invalid, "vectors-bundle", "The bundle holds something without a resourceType.")
	}
	return nil
}

// newest leaves of each Consent the versions with the highest number.
func newest(all []consent.Consent) []consent.Consent {
	last := map[string]int{}
	for i := range all {
		last[all[i].ID] = max(last[all[i].ID], all[i].Version)
	}
	out := all[:0:0]
	for i := range all {
		if all[i].ID == "" || all[i].Version == last[all[i].ID] {
			out = append(out, all[i])
		}
	}
	return out
}

// ReadVectors reads a list of vectors, one alone, vectors one after the other, or
// a list below "vectors". A vector that is JSON but cannot be read as one is
// answered with a denial. Errors: errs.Invalid for what is not JSON, or holds none.
func ReadVectors(raw []byte) ([]Vector, error) {
	var out []Vector
	dec := json.NewDecoder(bytes.NewReader(raw))
	for {
		var value json.RawMessage
		err := dec.Decode(&value)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errs.Wrap(err, errs.Invalid, "vectors-file", "The vectors are not JSON.")
		}
		var below struct {
			Vectors []json.RawMessage `json:"vectors"`
		}
		var list []json.RawMessage
		switch {
		case json.Unmarshal(value, &list) == nil:
		case json.Unmarshal(value, &below) == nil && below.Vectors != nil:
			list = below.Vectors
		default:
			list = []json.RawMessage{value}
		}
		for _, one := range list {
			out = append(out, readVector(one))
		}
	}
	if len(out) == 0 {
		return nil, errs.New(errs.Invalid, "vectors-file", "The file holds no vector.")
	}
	return out, nil
}

func readVector(raw []byte) Vector {
	var v Vector
	err := json.Unmarshal(raw, &v)
	if err == nil {
		return v
	}
	var named struct {
		ID     string `json:"id"`
		Expect string `json:"expect"`
	}
	// Without an id the answer has none either.
	_ = json.Unmarshal(raw, &named)
	fault := "vector"
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) && wrong.Field != "" {
		fault = wrong.Field
	}
	return Vector{ID: named.ID, Expect: named.Expect, fault: fault}
}

// when reads the instant of a question. It needs a zone: one without stands for
// no instant.
func (v *Vector) when() (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, v.At)
	return t, err == nil
}
