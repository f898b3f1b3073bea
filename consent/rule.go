package consent

import (
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// rule is a compiled provision. Elements AND, repeats of one element OR
// (CN-29); a nil list does not restrict. In a denial what could not be read
// does not restrict either; a permit with such an element never gets here.
type rule struct {
	// permit marks the root of a grant that permits by itself.
	permit     bool
	denial     bool
	actors     []fhir.Reference
	purposes   []fhir.Coding
	period     fhir.Period
	functions  functionSet
	classes    []classRule
	codes      []fhir.Coding
	dataPeriod fhir.Period
	data       []Datum
	labels     labelRule
	// narrowed tells which data elements restrict.
	narrowed dimension
}

func compileRule(p Provision, denial bool) rule {
	r := rule{denial: denial, functions: compileFunctions(p, denial), labels: compileLabels(p)}
	counts := func(d dimension) bool { return p.stated.has(d) && (!denial || !p.unread.has(d)) }
	if counts(dimActor) {
		r.actors = make([]fhir.Reference, 0, len(p.Actors))
		for _, a := range p.Actors {
			r.actors = append(r.actors, a.Reference)
		}
	}
	if counts(dimPurpose) {
		r.purposes = slices.Concat([]fhir.Coding{}, p.Purposes)
	}
	r.period = p.Period
	classes, known := compileClasses(p)
	if counts(dimClass) && (known || !denial) {
		r.classes, r.narrowed = classes, r.narrowed|dimClass
	}
	if counts(dimCode) {
		r.codes, r.narrowed = p.Codes, r.narrowed|dimCode
	}
	if counts(dimDataPeriod) {
		r.dataPeriod, r.narrowed = p.DataPeriod, r.narrowed|dimDataPeriod
	}
	if counts(dimData) {
		r.data, r.narrowed = p.Data, r.narrowed|dimData
	}
	return r
}

// who matches actor and purpose, the part of EV-05 that does not move with
// time.
func (r *rule) who(actors []fhir.Reference, purpose string) bool {
	if r.actors != nil && !slices.ContainsFunc(actors, func(a fhir.Reference) bool {
		return !a.IsZero() && slices.Contains(r.actors, a)
	}) {
		return false
	}
	if r.purposes == nil || (r.denial && purpose == "") {
		return true
	}
	for _, p := range r.purposes {
		if purposeWithin(purpose, p) {
			return true
		}
	}
	return false
}

// context applies EV-05.
func (r *rule) context(q *Question, fn functionSet) bool {
	return r.period.Contains(q.At) && r.does(fn) && r.who(q.Actors, q.Purpose)
}

func (r *rule) does(fn functionSet) bool { return r.functions == 0 || r.functions.has(fn) }

// matches applies EV-06.
func (r *rule) matches(res *fhir.Resource) bool {
	if r.narrowed == 0 {
		return true
	}
	if r.narrowed.has(dimClass) && !r.matchesClass(res) {
		return false
	}
	if r.narrowed.has(dimCode) && !r.matchesCode(res) {
		return false
	}
	if r.narrowed.has(dimDataPeriod) && !r.matchesDate(res) {
		return false
	}
	return !r.narrowed.has(dimData) || r.matchesData(res)
}

func (r *rule) matchesClass(res *fhir.Resource) bool {
	for i := range r.classes {
		if r.classes[i].matches(res) {
			return true
		}
	}
	return false
}

// matchesCode looks at code, type and category only (CN-23).
func (r *rule) matchesCode(res *fhir.Resource) bool {
	for _, want := range r.codes {
		for _, name := range [...]string{"code", "type", "category"} {
			if slices.Contains(res.Tokens[name], want) {
				return true
			}
		}
	}
	return false
}

// matchesDate compares with the one date that counts for the type: a permit
// wants the data wholly inside, a denial is content with an overlap. Data
// without that date is outside every permit and inside every denial.
func (r *rule) matchesDate(res *fhir.Resource) bool {
	dates := res.Dates[ClinicalDate(res.Type)]
	if len(dates) == 0 {
		return r.denial
	}
	for _, d := range dates {
		if r.denial {
			if overlap(d, r.dataPeriod) {
				return true
			}
			continue
		}
		if d.Start.IsZero() || d.End.IsZero() || !r.dataPeriod.Contains(d.Start) || !r.dataPeriod.Contains(d.End) {
			return false
		}
	}
	return !r.denial
}

func overlap(a, b fhir.Period) bool {
	before := func(x, y time.Time) bool { return !x.IsZero() && !y.IsZero() && x.Before(y) }
	return !before(a.End, b.Start) && !before(b.End, a.Start)
}

// ClinicalDate names the date search parameter that dataPeriod means on a type.
func ClinicalDate(resourceType string) string {
	switch resourceType {
	case "Condition":
		return "recorded-date"
	case "MedicationRequest", "NutritionOrder":
		return "authoredon"
	case "MedicationStatement", "MedicationAdministration":
		return "effective"
	case "MedicationDispense":
		return "whenhandedover"
	case "ServiceRequest", "QuestionnaireResponse":
		return "authored"
	case "Communication":
		return "sent"
	case "Goal":
		return "start-date"
	case "Specimen":
		return "collected"
	case "ImagingStudy":
		return "started"
	case "ExplanationOfBenefit":
		return "created"
	}
	return "date"
}

// matchesData applies provision.data. related and dependents mean the named
// resource and what refers to it directly.
func (r *rule) matchesData(res *fhir.Resource) bool {
	for i := range r.data {
		d := &r.data[i]
		if d.Meaning == "authoredby" {
			if slices.Contains(res.Authors, d.Reference) {
				return true
			}
			continue
		}
		if d.Reference.Type == res.Type && d.Reference.ID == res.ID {
			return true
		}
		if d.Meaning != "instance" && refersTo(res, d.Reference) {
			return true
		}
	}
	return false
}

func refersTo(res *fhir.Resource, ref fhir.Reference) bool {
	if slices.Contains(res.Targets, ref) {
		return true
	}
	for _, refs := range res.References {
		if slices.Contains(refs, ref) {
			return true
		}
	}
	return false
}

// functionSet is a set of portal functions. Zero stands for "not stated".
type functionSet uint16

const (
	fnView functionSet = 1 << iota
	fnDownload
	fnMessage
	fnSchedule
	fnRefill
	fnForms
	fnUpload
	fnBilling
	fnManage
	// fnNone is set where functions are stated but none is known.
	fnNone functionSet = 1 << 15
)

func (f functionSet) has(x functionSet) bool { return f&x != 0 }

// functionBit gives the bit of a portal-function code; "" means view, and a
// code that is not known is in no set.
func functionBit(code string) functionSet {
	switch code {
	case "", "view":
		return fnView
	case "download":
		return fnDownload
	case "message":
		return fnMessage
	case "schedule":
		return fnSchedule
	case "refill":
		return fnRefill
	case "sign-forms":
		return fnForms
	case "upload":
		return fnUpload
	case "billing":
		return fnBilling
	case "manage-proxies":
		return fnManage
	}
	return 0
}

// names lists the functions of the set by code, in a fixed order.
func (f functionSet) names() []string {
	var out []string
	for _, code := range [...]string{"view", "download", "message", "schedule", "refill",
		"sign-forms", "upload", "billing", "manage-proxies"} {
		if f.has(functionBit(code)) {
			out = append(out, code)
		}
	}
	return out
}

// compileFunctions reads action. In a permit a general access, use or
// disclose without a portal function means view; a denial of one means every
// function, and so does a denial of something unknown.
func compileFunctions(p Provision, denial bool) functionSet {
	if !p.stated.has(dimAction) || (denial && p.unread.has(dimAction)) {
		return 0
	}
	var out functionSet
	general := false
	for _, a := range p.Actions {
		bit := functionSet(0)
		if strings.HasSuffix(a.System, functionSystemSuffix) {
			bit = functionBit(a.Code)
		}
		if bit == 0 && denial {
			return 0
		}
		out |= bit
		general = general || (a.System == systemConsentAction &&
			(a.Code == "access" || a.Code == "use" || a.Code == "disclose"))
	}
	switch {
	case out != 0:
		return out
	case general:
		return fnView
	}
	return fnNone
}
