package fhir

import (
	"strings"
	"time"
)

// Canonical is the base of Mandate's own profiles, code systems and URIs.
const Canonical = "https://mandate.example/fhir"

// Code systems that decisions look at. Codes are always matched together
// with their system, because v3-Confidentiality and v3-ActCode share codes
// (LB-16).
const (
	SystemConfidentiality   = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
	SystemActCode           = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
	SystemActReason         = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
	SystemRoleCode          = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
	SystemParticipationType = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
)

// Reference is a relative reference to one resource of the tenant's own FHIR
// base, such as Patient/rosa. The zero value means "none".
type Reference struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// String gives "Type/id", or "" for the zero value.
func (r Reference) String() string {
	if r == (Reference{}) {
		return ""
	}
	return r.Type + "/" + r.ID
}

// IsZero reports whether the reference names nothing.
func (r Reference) IsZero() bool { return r == Reference{} }

// ParseReference reads a relative literal reference "Type/id", with or
// without "/_history/version". Absolute, conditional, contained and urn
// references are not taken for local ones (SMART TRP-23): ok is false.
func ParseReference(s string) (ref Reference, ok bool) {
	typ, id, _ := strings.Cut(s, "/")
	if rest, version, versioned := strings.Cut(id, "/_history/"); versioned {
		if !ValidID(version) {
			return Reference{}, false
		}
		id = rest
	}
	if !ValidType(typ) || !ValidID(id) {
		return Reference{}, false
	}
	return Reference{Type: typ, ID: id}, true
}

// ValidID reports whether s is a FHIR R4 logical id: 1 to 64 characters of
// A-Z a-z 0-9 - and dot.
func ValidID(s string) bool {
	if s == "" || len(s) > 64 || s == "." || s == ".." {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.':
		default:
			return false
		}
	}
	return true
}

// ValidType reports whether s has the shape of a resource type name: an
// upper-case letter followed by letters only.
func ValidType(s string) bool {
	if s == "" || len(s) > 64 || s[0] < 'A' || s[0] > 'Z' {
		return false
	}
	for i := 1; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// Coding is a code together with the system that defines it.
type Coding struct {
	System string `json:"system,omitempty"`
	Code   string `json:"code,omitempty"`
}

// Resource is what a decision needs to know about one resource: its hot
// fields, extracted once by fhir/view. It never holds narrative or values.
type Resource struct {
	Type        string
	ID          string
	VersionID   string
	LastUpdated time.Time

	// Labels are the codings of meta.security.
	Labels []Coding
	// Profiles are the canonical URLs of meta.profile.
	Profiles []string
	// Subjects are the local patients this resource is about: the logical
	// ids found through the patient-compartment parameters that mean
	// "about", not those that mean "authored by" (SMART CMP-10).
	Subjects []string
	// ForeignSubject is true when a subject element is present that does not
	// resolve to a local patient: an absolute URL, an identifier, a Group.
	ForeignSubject bool
	// Authors are the references found in author-like elements.
	Authors []Reference
	// Targets are the references of a Provenance.target, DocumentReference
	// attachments and similar links on which visibility depends.
	Targets []Reference
	// Tokens holds the values of token search parameters by parameter name
	// (category, code, status, type, clinical-status, …).
	Tokens map[string][]Coding
	// References holds the values of reference search parameters by name.
	References map[string][]Reference
	// Dates holds the values of date search parameters by name, as ranges.
	Dates map[string][]Period
	// Contained lists the hot fields of contained resources.
	Contained []Resource
}

// Period is a closed interval in time; a zero bound is open.
type Period struct {
	Start time.Time
	End   time.Time
}

// Contains reports whether t lies in the period, both bounds included.
func (p Period) Contains(t time.Time) bool {
	return (p.Start.IsZero() || !t.Before(p.Start)) && (p.End.IsZero() || !t.After(p.End))
}
