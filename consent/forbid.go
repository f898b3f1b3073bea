package consent

import (
	"encoding/json"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// Canonicals of the prohibitions that patients make on Mandate's own pages.
const (
	policyBlock = "https://mandate.example/policy/proxy/block/1"
	policyKept  = "https://mandate.example/policy/kept-private/1"
)

// Forbidding is a prohibition that Mandate writes itself: it shuts people out of
// the whole record, or keeps one entry from everybody who helps (FX-12, FX-15,
// FX-22). It has no end: a prohibition must not lapse silently (TR-27).
type Forbidding struct {
	Patient string
	// Actors are whom it shuts out. Item is the entry that is kept, with what
	// refers to it. One of the two is set.
	Actors       []fhir.Reference
	Item         fhir.Reference
	Organization fhir.Reference
	// Source is the ceremony in which it was said; zero leaves it out (CN-10).
	Source fhir.Reference
	// At is when it was said.
	At time.Time
}

// JSON gives the FHIR R4 Consent. Errors: errs.Invalid when it would forbid
// nothing or more than one of the two.
func (f Forbidding) JSON() ([]byte, error) {
	if (len(f.Actors) == 0) == f.Item.IsZero() {
		return nil, errs.New(errs.Invalid, "consent-forbids-nothing", "Say whom to shut out, or which entry to keep.")
	}
	provision, policy := fields{"type": "deny"}, policyBlock
	if f.Item.IsZero() {
		role := codeable(code(fhir.SystemParticipationType, "IRCP"))
		var actors []fields
		for _, a := range f.Actors {
			actors = append(actors, fields{"role": role, "reference": fields{"reference": a.String()}})
		}
		provision["actor"] = actors
	} else {
		// Everybody who acts for the patient, now and later: PATRQT stands above
		// FAMRQT, SUPNWK and PWATRNY. Staff who treat are bound by other rules.
		policy = policyKept
		provision["purpose"] = []fields{code(fhir.SystemActReason, "PATRQT"), code(fhir.SystemActReason, "HDECD")}
		provision["data"] = []fields{{"meaning": "dependents", "reference": fields{"reference": f.Item.String()}}}
	}
	doc := fields{
		"resourceType": "Consent", "status": "active",
		"meta":       fields{"security": []fields{code(fhir.SystemConfidentiality, "R")}},
		"scope":      codeable(code(systemConsentScope, "patient-privacy")),
		"category":   []fields{codeable(code(systemLOINC, "59284-0")), codeable(code(fhir.SystemActCode, "INFA"))},
		"patient":    fields{"reference": "Patient/" + f.Patient},
		"dateTime":   stampTime(f.At),
		"performer":  []fields{{"reference": "Patient/" + f.Patient}},
		"policy":     []fields{{"uri": policy}},
		"policyRule": codeable(code(fhir.SystemActCode, "OPTOUT")),
		"provision":  provision,
	}
	if !f.Organization.IsZero() {
		doc["organization"] = []fields{{"reference": f.Organization.String()}}
	}
	if !f.Source.IsZero() {
		doc["sourceReference"] = fields{"reference": f.Source.String()}
	}
	return json.Marshal(doc)
}

// KeptItem gives the entry that a Consent keeps from everybody who helps, a zero
// reference when it is of another kind or no longer in force.
func KeptItem(r Record) fhir.Reference {
	if r.Kind != KindProhibition || r.Status != "active" {
		return fhir.Reference{}
	}
	c, err := Parse(r.JSON)
	if err != nil || len(c.Policies) != 1 || c.Policies[0] != policyKept || len(c.Root.Data) != 1 {
		return fhir.Reference{}
	}
	return c.Root.Data[0].Reference
}
