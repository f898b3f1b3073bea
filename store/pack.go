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

// packer packs values; its parts are used again, because they are large. The
// zero value is ready.
type packer struct{ writers, readers sync.Pool }

// pack gives the shorter form of a value. It must be done before sealing:
// nothing makes a sealed value shorter.
func (p *packer) pack(plain []byte) ([]byte, error) {
	if len(plain) < packFrom {
		return plain, nil
	}
	var out bytes.Buffer
	out.WriteByte(packedMark)
	w, ok := p.writers.Get().(*flate.Writer)
	if ok {
		w.Reset(&out)
	} else {
		var err error
		if w, err = flate.NewWriterDict(&out, flate.DefaultCompression, []byte(packWords)); err != nil {
			return nil, fmt.Errorf("store: packing: %w", err)
		}
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("store: packing: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("store: packing: %w", err)
	}
	p.writers.Put(w)
	return out.Bytes(), nil
}

// unpack gives the value again, as it is when it was never packed.
func (p *packer) unpack(stored []byte) ([]byte, error) {
	if len(stored) == 0 || stored[0] != packedMark {
		return stored, nil
	}
	from := bytes.NewReader(stored[1:])
	r, ok := p.readers.Get().(io.ReadCloser)
	if !ok {
		r = flate.NewReaderDict(from, []byte(packWords))
	} else if err := r.(flate.Resetter).Reset(from, []byte(packWords)); err != nil {
		return nil, fmt.Errorf("store: unpacking: %w", err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("store: unpacking: %w", err)
	}
	p.readers.Put(r)
	return plain, nil
}
