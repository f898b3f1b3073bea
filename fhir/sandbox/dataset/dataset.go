package dataset

import "time"

// Resource is one synthetic FHIR R4 resource as exact JSON bytes.
type Resource struct {
	// Type is the FHIR resource type, such as "Observation".
	Type string
	// ID is the logical id, unique within its Type.
	ID string
	// JSON is the compact resource. Callers must not write into it: neighbours
	// share one backing array.
	JSON []byte
}

// Generate returns the whole upstream record set as of start, which is cut to
// its UTC day: the same bytes for the same day. The RelatedPersons in it are
// the hospital's own copies of those that RelatedPersons returns. Privacy
// Consents and Persons are not in it (decision D14).
func Generate(start time.Time) []Resource {
	g := newGen(start, 15000)
	g.clinic()
	g.relatedPersons()
	g.kin = relatedTo(g.out)
	cohort := g.cohort()
	for i := range cohort {
		g.chart(&cohort[i])
	}
	g.groups(cohort)
	return g.out
}

// Consents returns the privacy Consents that live in Mandate and not upstream,
// moved to the start day: the examples e1 to e7 and e8-daughter-download.
func Consents(start time.Time) []Resource {
	g := newGen(start, 8)
	g.consents()
	return g.out
}

// RelatedPersons returns every RelatedPerson, byte for byte those that Generate
// contains.
func RelatedPersons(start time.Time) []Resource {
	g := newGen(start, 64)
	g.relatedPersons()
	return g.out
}

// Persons returns the Person records that join the FHIR identities of one
// human being.
func Persons(start time.Time) []Resource {
	g := newGen(start, 1)
	g.example("person-elena.json")
	return g.out
}
