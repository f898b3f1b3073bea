package fhir

// CapacityKind says in which legal position somebody acts (A.1: relationship,
// authority and permission are three things).
type CapacityKind string

// The acting capacities. A grant and every token derived from it carry
// exactly one (D14).
const (
	// CapacitySelf is a patient acting on the own record.
	CapacitySelf CapacityKind = "self"
	// CapacityDesignatedProxy is somebody whom the patient let in.
	CapacityDesignatedProxy CapacityKind = "designated-proxy"
	// CapacityRepresentative is a personal representative in effect.
	CapacityRepresentative CapacityKind = "personal-representative"
	// CapacityPractitioner is a clinician under the organisation's policy.
	CapacityPractitioner CapacityKind = "practitioner"
	// CapacityStaff is somebody on the staff without a clinical role.
	CapacityStaff CapacityKind = "staff"
	// CapacitySystem is a client acting for itself (SMART Backend Services).
	CapacitySystem CapacityKind = "system"
)

// Capacity is the one acting capacity of a grant: who acts, in which
// position, on whose record and for which purpose.
type Capacity struct {
	Kind CapacityKind `json:"kind"`
	// Acting is the FHIR resource of the acting person and the value of
	// fhirUser: Patient/…, RelatedPerson/… or Practitioner/…; zero for a
	// system.
	Acting Reference `json:"acting"`
	// Patient is the logical id of the patient whose record is acted on;
	// empty where the capacity is not bound to one (practitioner, system).
	Patient string `json:"patient,omitempty"`
	// Purpose is a v3-ActReason code derived from the capacity, never taken
	// from a request (PC-15).
	Purpose string `json:"purpose,omitempty"`
	// Relationship is the v3-RoleCode by which pages say "as daughter".
	Relationship string `json:"relationship,omitempty"`
}

// IsProxy reports whether the capacity acts for somebody else's record under
// that patient's consents: the closed world of A.1.
func (c Capacity) IsProxy() bool {
	return c.Kind == CapacityDesignatedProxy || c.Kind == CapacityRepresentative
}
