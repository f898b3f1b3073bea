package dataset

// preference is what somebody wishes of care: in own words, or as a code where
// one fits (US Core 7 preference profiles).
type preference struct {
	name, profile string
	what          code
	text          string
	value         code
}

var (
	wishesOfTreatment = loinc("75773-2", "Goals, preferences, and priorities for medical treatment [Reported]")
	wishesOfCare      = loinc("95541-9", "Care experience preference")
)

var preferences = [...]preference{
	{"wish-treatment", "treatment-intervention-preference", wishesOfTreatment, "Comfort first. No breathing machine, no feeding tube.", code{}},
	{"wish-hospital", "treatment-intervention-preference", wishesOfTreatment, "", code{ownBase + "/codes/preference", "no-hospital", "Do not take me to hospital"}},
	{"wish-care", "care-experience-preference", wishesOfCare, "Speak slowly, and ask before you touch me.", code{}},
	{"wish-company", "care-experience-preference", wishesOfCare, "", code{ownBase + "/codes/preference", "family-present", "Have my family with me"}},
}

// preferences writes what the person wishes; the category has the name of the
// profile.
func (g *gen) preferences(p *person) {
	for _, w := range preferences {
		g.observe(p, observation{
			id: p.id + "-obs-" + w.name, profile: w.profile, cats: []code{{usCoreCS + "us-core-category", w.profile, ""}},
			what: []code{w.what}, v: p.last(), performer: p.speaker(),
			value: func(d *doc) {
				if w.text != "" {
					d.str("valueString", w.text)
					return
				}
				d.concept("valueCodeableConcept", w.value)
			},
		})
	}
}

// walking writes a finding that is a plain yes or no.
func (g *gen) walking(p *person) {
	g.observe(p, observation{
		id: p.id + "-obs-walking", profile: "simple-observation", cats: []code{{usCoreCS + "us-core-category", "disability-status", "Disability Status"}},
		what: []code{loinc("69859-7", "Do you have serious difficulty walking or climbing stairs")}, v: p.last(), performer: p.speaker(),
		value: func(d *doc) { d.bool("valueBoolean", true) },
	})
}

// averagePressure writes two means over a month: one whole, one of which the
// diastolic part could not be taken.
func (g *gen) averagePressure(p *person) {
	for n, v := range []visit{p.visits[0], p.last()} {
		g.record("Observation", p.id+"-vs-mean-"+num3(n+1), meta{v.at, "average-blood-pressure", normal}, func(d *doc) {
			d.str("status", "final")
			d.concepts("category", catVital)
			d.concept("code", loinc("96607-7", "Blood pressure panel mean systolic and mean diastolic"))
			d.refTo("subject", p.ref())
			d.obj("effectivePeriod", func() {
				d.str("start", stampOf(v.at.AddDate(0, -1, 0)))
				d.str("end", v.stamp)
			})
			d.oneRef("performer", p.doctor())
			d.arr("component", func() {
				d.item(func() {
					d.concept("code", loinc("96608-5", "Systolic blood pressure mean"))
					d.quantity("valueQuantity", p.between(104, 148), 0, "mmHg", "mm[Hg]")
				})
				d.item(func() {
					d.concept("code", loinc("96609-3", "Diastolic blood pressure mean"))
					if n > 0 {
						d.dataAbsent("error", "Error")
						return
					}
					d.quantity("valueQuantity", p.between(62, 88), 0, "mmHg", "mm[Hg]")
				})
			})
		})
	}
}
