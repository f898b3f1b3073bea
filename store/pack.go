package store

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"sync"
)

// packedMark begins a value that was packed before it was sealed. FHIR JSON
// begins with another byte, and what begins with a brace was stored as it is.
const packedMark byte = 1

// packFrom is from how many bytes packing is worth it.
const packFrom = 256

// packWords is what Consents are full of. It may never change: what was packed
// with it cannot be read with another one.
const packWords = `http://hl7.org/fhir/StructureDefinition/","valueCodeableConcept":{"coding":[{"system":"http://hl7.org/fhir/resource-types","code":"ConditionMedicationRequestAllergyIntoleranceDiagnosticReportImmunizationDocumentReferenceEncounter` +
	`"purpose":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"FAMRQT"}],"securityLabel":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}],"provision":[{"type":"deny","class":[` +
	`{"category":[{"coding":[{"code":"59284-0","system":"http://loinc.org"}]},{"coding":[{"code":"INFA","system":"http://terminology.hl7.org/CodeSystem/v3-ActCode"}]}],"dateTime":"2026-01-01T00:00:00Z",` +
	`"extension":[{"url":"https://mandate.example/fhir/StructureDefinition/","valueString":"patient/Patient.rs"},{"url":"https://mandate.example/fhir/StructureDefinition/","valueString":"patient/Observation.rs"}],"id":"` +
	`","meta":{"lastUpdated":"2026-01-01T00:00:00Z","security":[{"code":"R","system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality"}],"versionId":"1"},"organization":[{"reference":"Organization/` +
	`"}],"patient":{"reference":"Patient/"},"performer":[{"reference":"Patient/"}],"policy":[{"uri":"https://mandate.example/fhir/policy/"}],"policyRule":{"coding":[{"code":"OPTIN","system":"http://terminology.hl7.org/CodeSystem/v3-ActCode"}]},` +
	`"provision":{"actor":[{"reference":{"display":"","identifier":{"system":"https://mandate.example/fhir/","value":""},"reference":"Device/"},"role":{"coding":[{"code":"IRCP","system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType"}]}}],` +
	`"period":{"end":"2026-01-01T00:00:00Z","start":"2026-01-01T00:00:00Z"},"type":"permit"},"resourceType":"Consent","scope":{"coding":[{"code":"patient-privacy","system":"http://terminology.hl7.org/CodeSystem/consentscope"}]},"status":"active"}`

// approvalMark begins a value that was packed with approvalWords. No node of the
// version before reads it.
const approvalMark byte = 3

// approvalWords is the Consent that records what a person allowed an app, of
// which every new connection has one. It may never change either.
const approvalWords = `patient/Condition.rs patient/MedicationRequest.rs patient/AllergyIntolerance.rs patient/Encounter.rs {"category":[{"coding":[{"code":"59284-0","system":"http://loinc.org"}]},{"coding":[{"code":"app-approval","system":"https://mandate.example/fhir/CodeSystem/consent-kind"}]}],"dateTime":"` +
	`2026-11-22T18:05:07Z","extension":[{"url":"https://mandate.example/fhir/StructureDefinition/approved-scope","valueString":"launch/patient"},{"url":"https://mandate.example/fhir/StructureDefinition/approved-scope","valueString":"openid"},` +
	`{"url":"https://mandate.example/fhir/StructureDefinition/approved-scope","valueString":"fhirUser"},{"url":"https://mandate.example/fhir/StructureDefinition/approved-scope","valueString":"offline_access"},` +
	`{"url":"https://mandate.example/fhir/StructureDefinition/approved-scope","valueString":"patient/Observation.rs"},{"url":"https://mandate.example/fhir/StructureDefinition/approved-scope","valueString":"patient/Patient.rs"}],"id":"` +
	`","meta":{"lastUpdated":"2026-11-22T18:05:07Z","security":[{"code":"R","system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality"}],"versionId":"1"},"organization":[{"reference":"Organization/mandate"}],"patient":{"reference":"Patient/` +
	`"},"performer":[{"reference":"Patient/"}],"policy":[{"uri":"https://mandate.example/policy/app-approval/1"}],"policyRule":{"coding":[{"code":"OPTIN","system":"http://terminology.hl7.org/CodeSystem/v3-ActCode"}]},` +
	`"provision":{"actor":[{"reference":{"display":"","identifier":{"system":"https://mandate.example/fhir/NamingSystem/oauth-client","value":""},"reference":"Device/` +
	`"},"role":{"coding":[{"code":"IRCP","system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType"}]}}],"period":{"end":"2026-11-22T19:05:07Z","start":"2026-11-22T18:05:07Z"},"type":"permit"},` +
	`"resourceType":"Consent","scope":{"coding":[{"code":"patient-privacy","system":"http://terminology.hl7.org/CodeSystem/consentscope"}]},"status":"active"}`

// packer packs values; its parts are used again, because they are large. The
// zero value is ready.
type packer struct{ consents, approvals packing }

// packing is the parts for one dictionary.
type packing struct{ writers, readers sync.Pool }

// with gives the parts and the dictionary of a mark, nil for any other byte.
func (p *packer) with(mark byte) (*packing, string) {
	switch mark {
	case packedMark:
		return &p.consents, packWords
	case approvalMark:
		return &p.approvals, approvalWords
	}
	return nil, ""
}

// pack gives the shorter form of a value, with the dictionary of the mark. It
// must be done before sealing: nothing makes a sealed value shorter.
func (p *packer) pack(mark byte, plain []byte) ([]byte, error) {
	if len(plain) < packFrom {
		return plain, nil
	}
	parts, words := p.with(mark)
	var out bytes.Buffer
	out.WriteByte(mark)
	w, ok := parts.writers.Get().(*flate.Writer)
	if ok {
		w.Reset(&out)
	} else {
		var err error
		if w, err = flate.NewWriterDict(&out, flate.DefaultCompression, []byte(words)); err != nil {
			return nil, fmt.Errorf("store: packing: %w", err)
		}
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("store: packing: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("store: packing: %w", err)
	}
	parts.writers.Put(w)
	return out.Bytes(), nil
}

// unpack gives the value again, as it is when it was never packed.
func (p *packer) unpack(stored []byte) ([]byte, error) {
	if len(stored) == 0 {
		return stored, nil
	}
	parts, words := p.with(stored[0])
	if parts == nil {
		return stored, nil
	}
	from := bytes.NewReader(stored[1:])
	r, ok := parts.readers.Get().(io.ReadCloser)
	if !ok {
		r = flate.NewReaderDict(from, []byte(words))
	} else if err := r.(flate.Resetter).Reset(from, []byte(words)); err != nil {
		return nil, fmt.Errorf("store: unpacking: %w", err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("store: unpacking: %w", err)
	}
	parts.readers.Put(r)
	return plain, nil
}
