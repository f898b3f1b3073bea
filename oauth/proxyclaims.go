package oauth

import (
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// ProxyClaim is what a token says about somebody who acts for a patient (SC-13),
// under the name ClaimProxy.
type ProxyClaim struct {
	Capacity fhir.CapacityKind `json:"capacity"`
	// DecisionID is the id of the audit event that holds what decided.
	DecisionID string `json:"decision_id"`
	// ValidUntil, in seconds since the epoch, is when the access ends by what it
	// rests on.
	ValidUntil int64 `json:"valid_until"`
}

// ClaimProxy is the name of ProxyClaim in tokens and in answers about them.
const ClaimProxy = fhir.Canonical + "/claims/proxy"

// Extensions are the members of "extensions" in access tokens and in answers about
// them, each by the guide that defines it.
type Extensions struct {
	// B2B is in whose name and for what purpose a service asked (UDP-31).
	B2B *B2B `json:"hl7-b2b,omitempty"`
	IUA *IUA `json:"ihe_iua,omitempty"`
	PCF *PCF `json:"ihe_pcf,omitempty"`
}

// IUA says by whom and for what a token is used (IHE IUA, IU-05). The role is the
// relation as it was verified, the purpose that of the capacity: both are those of
// the audit log.
type IUA struct {
	// SubjectName is left out where an app could read it.
	SubjectName  string        `json:"subject_name,omitempty"`
	SubjectRole  []fhir.Coding `json:"subject_role,omitempty"`
	PurposeOfUse []fhir.Coding `json:"purpose_of_use"`
	// PersonID is the logical id of the patient whose record it is.
	PersonID string `json:"person_id"`
}

// PCF says under which Consents a token stands (IHE PCF, PC-17). Addresses are
// absolute.
type PCF struct {
	PatientID string   `json:"patient_id"`
	DocID     []string `json:"doc_id"`
	// ACP are the policies of the Consents. Neither they nor Residual are ever
	// where an app could read them (TR-21).
	ACP      []string       `json:"acp,omitempty"`
	Residual []ResidualRule `json:"residual,omitempty"`
}

// ResidualRule is one thing that must still be withheld beside the scopes.
type ResidualRule struct {
	// Type is always forbid (TR-07, TR-20).
	Type   string         `json:"type"`
	Labels []fhir.Coding  `json:"securityLabel,omitempty"`
	Data   []ResidualData `json:"data,omitempty"`
}

// ResidualData is data that is named, as in a Consent's provision.
type ResidualData struct {
	Meaning   string            `json:"meaning"`
	Reference ResidualReference `json:"reference"`
}

// ResidualReference is a FHIR reference below the FHIR base.
type ResidualReference struct {
	Reference string `json:"reference"`
}

// Delegated is what is told of a proxy's access.
type Delegated struct {
	Proxy *ProxyClaim
	IUA   *IUA
	PCF   *PCF
}

// Told gives what an app may know of a proxy's access: nothing that names a
// Consent other than the one by which it was itself approved, and as the end the
// one that the proxy was told, or without one that of the token: not the start of a
// prohibition to come. decision is the id of the audit event, base the FHIR base.
func (g Grant) Told(d Redecision, decision, base string, expires time.Time) Delegated {
	ends := d.GrantsEnd
	if ends.IsZero() {
		ends = expires
	}
	out := Delegated{
		Proxy: &ProxyClaim{Capacity: g.Capacity.Kind, DecisionID: decision, ValidUntil: ends.Unix()},
		IUA:   g.iua(),
	}
	if g.ConsentID != "" {
		out.PCF = &PCF{PatientID: base + "/Patient/" + g.Record(), DocID: []string{base + "/Consent/" + g.ConsentID}}
	}
	return out
}

// Disclosed gives what a resource server may know that must itself enforce the
// Consents: all of it but the name and the residual rules, which the caller looks
// up. The end is that of the decision, prohibitions to come counted in.
func (g Grant) Disclosed(d Redecision, decision, base string) Delegated {
	ends := d.ValidUntil
	if ends.IsZero() {
		ends = g.Ends
	}
	pcf := &PCF{PatientID: base + "/Patient/" + g.Record(), ACP: d.Policies, DocID: []string{}}
	for _, version := range d.Consents {
		pcf.DocID = append(pcf.DocID, base+"/"+version)
	}
	return Delegated{
		Proxy: &ProxyClaim{Capacity: g.Capacity.Kind, DecisionID: decision, ValidUntil: ends.Unix()},
		IUA:   g.iua(), PCF: pcf,
	}
}

func (g Grant) iua() *IUA {
	out := &IUA{
		PurposeOfUse: []fhir.Coding{{System: fhir.SystemActReason, Code: g.Capacity.Purpose}},
		PersonID:     g.Record(),
	}
	if g.Capacity.Relationship != "" {
		out.SubjectRole = []fhir.Coding{{System: fhir.SystemRoleCode, Code: g.Capacity.Relationship}}
	}
	return out
}

// DecidedBy lists the versioned Consents by which a proxy's access was decided,
// and the one by which the app was approved (EV-15).
func (g Grant) DecidedBy(d Redecision) []string {
	now := g
	now.Consents = d.Consents
	return now.Basis()
}
