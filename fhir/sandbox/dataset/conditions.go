package dataset

import "time"

// Condition categories (SMART US-17).
var (
	catEncounter = code{term + "condition-category", "encounter-diagnosis", "Encounter Diagnosis"}
	catProblem   = code{term + "condition-category", "problem-list-item", "Problem List Item"}
	catConcern   = code{usCoreCS + "condition-category", "health-concern", "Health Concern"}
	catSDOH      = code{usCoreCS + "us-core-category", "sdoh", "SDOH"}
)

// illness is what brought the patient to palliative care.
type illness struct {
	main  code
	icd   code
	other []code
}

var illnesses = [...]illness{
	{snomed("254637007", "Non-small cell lung cancer"), code{sysICD10, "C34.90", "Malignant neoplasm of unspecified part of unspecified bronchus or lung"},
		[]code{snomed("13645005", "Chronic obstructive lung disease"), snomed("59621000", "Essential hypertension")}},
	{snomed("84114007", "Heart failure"), code{sysICD10, "I50.9", "Heart failure, unspecified"},
		[]code{snomed("49436004", "Atrial fibrillation"), snomed("44054006", "Diabetes mellitus type 2")}},
	{snomed("13645005", "Chronic obstructive lung disease"), code{sysICD10, "J44.9", "Chronic obstructive pulmonary disease, unspecified"},
		[]code{snomed("59621000", "Essential hypertension"), snomed("64859006", "Osteoporosis")}},
	{snomed("709044004", "Chronic kidney disease"), code{sysICD10, "N18.6", "End stage renal disease"},
		[]code{snomed("44054006", "Diabetes mellitus type 2"), snomed("271737000", "Anemia")}},
	{snomed("363406005", "Malignant neoplasm of colon"), code{sysICD10, "C18.9", "Malignant neoplasm of colon, unspecified"},
		[]code{snomed("271737000", "Anemia"), snomed("59621000", "Essential hypertension")}},
	{snomed("86044005", "Amyotrophic lateral sclerosis"), code{sysICD10, "G12.21", "Amyotrophic lateral sclerosis"},
		[]code{snomed("40739000", "Dysphagia"), snomed("55822004", "Hyperlipidemia")}},
	{snomed("26929004", "Alzheimer's disease"), code{sysICD10, "G30.9", "Alzheimer's disease, unspecified"},
		[]code{snomed("59621000", "Essential hypertension"), snomed("396275006", "Osteoarthritis")}},
	{snomed("19943007", "Cirrhosis of liver"), code{sysICD10, "K74.60", "Unspecified cirrhosis of liver"},
		[]code{snomed("389026000", "Ascites"), snomed("271737000", "Anemia")}},
}

var (
	childIllness = illness{snomed("76670001", "Duchenne muscular dystrophy"), code{sysICD10, "G71.01", "Duchenne or Becker muscular dystrophy"},
		[]code{snomed("298382003", "Scoliosis deformity of spine"), snomed("195967001", "Asthma")}}
	infantIllness = illness{snomed("13213009", "Congenital heart disease"), code{sysICD10, "Q24.9", "Congenital malformation of heart, unspecified"},
		[]code{snomed("54840006", "Failure to thrive"), snomed("235595009", "Gastroesophageal reflux disease")}}
)

func illnessOf(p *person, day time.Time) illness {
	switch years := p.years(day); {
	case years < 3:
		return infantIllness
	case years < 18:
		return childIllness
	}
	return illnesses[p.index%len(illnesses)]
}

var symptoms = [...]code{
	snomed("22253000", "Pain"), snomed("267036007", "Dyspnea"), snomed("422587007", "Nausea"),
	snomed("84229001", "Fatigue"), snomed("14760008", "Constipation"), snomed("79890006", "Loss of appetite"),
	snomed("193462001", "Insomnia"), snomed("271594007", "Syncope"), snomed("422400008", "Vomiting"),
}

var concerns = [...]code{
	snomed("129839007", "At risk for falls"), snomed("422650009", "Social isolation"),
	snomed("733423003", "Food insecurity"), snomed("713458007", "Lack of access to transportation"),
}

// conditions writes the problem list, one diagnosis for each second visit and
// two health concerns, one of them about social circumstances.
func (g *gen) conditions(p *person) {
	first := p.visits[0]
	g.condition(p, conditionFacts{what: []code{p.illness.main, p.illness.icd}, cats: []code{catProblem}, v: first})
	for n, c := range p.illness.other {
		g.condition(p, conditionFacts{what: []code{c}, cats: []code{catProblem}, v: first, resolved: n == 1 && p.index%3 == 0})
	}
	for n, v := range p.visits {
		if n%2 == 0 {
			c := symptoms[(n/2+p.index)%len(symptoms)]
			g.condition(p, conditionFacts{what: []code{c}, cats: []code{catEncounter}, v: v, resolved: n%4 == 2})
		}
	}
	g.condition(p, conditionFacts{what: []code{concerns[0]}, cats: []code{catConcern}, v: first})
	g.condition(p, conditionFacts{what: []code{concerns[1+p.index%3]}, cats: []code{catConcern, catSDOH}, v: p.last()})
}

type conditionFacts struct {
	what     []code
	cats     []code
	v        visit
	resolved bool
	label    label
	recorder reference
	id       string // a fixed id; empty means the next number
}

func (g *gen) condition(p *person, f conditionFacts) {
	id, pinned := f.id, true
	if id == "" {
		p.conditions++
		id = p.id + "-cond-" + num3(p.conditions)
		pinned = p.conditions == 1 // the reason of every encounter
	}
	if f.label.conf == "" {
		f.label = normal
	}
	if f.recorder.id == "" {
		f.recorder = p.doctor()
	}
	profile := "condition-problems-health-concerns"
	if f.cats[0] == catEncounter {
		profile = "condition-encounter-diagnosis"
	}
	status := code{term + "condition-clinical", "active", "Active"}
	if f.resolved {
		status = code{term + "condition-clinical", "resolved", "Resolved"}
	}
	g.writer(pinned)("Condition", id, meta{f.v.at, profile, f.label}, func(d *doc) {
		d.one("extension", func() {
			d.str("url", "http://hl7.org/fhir/StructureDefinition/condition-assertedDate")
			d.str("valueDateTime", f.v.date)
		})
		d.concept("clinicalStatus", status)
		d.concept("verificationStatus", code{term + "condition-ver-status", "confirmed", "Confirmed"})
		d.concepts("category", f.cats...)
		d.concept("code", f.what...)
		d.refTo("subject", p.ref())
		d.ref("encounter", "Encounter", f.v.id)
		d.str("onsetDateTime", dateOf(f.v.at.AddDate(0, 0, -9)))
		if f.resolved {
			d.str("abatementDateTime", dateOf(f.v.at.AddDate(0, 0, 4)))
		}
		d.str("recordedDate", f.v.date)
		d.refTo("recorder", f.recorder)
	})
}
