package dataset

// remarks writes findings of shapes that are rare in a chart: results in words,
// and a lifetime of smoking as a number.
func (g *gen) remarks(p *person) {
	last := p.last()
	g.observe(p, observation{
		id: p.id + "-test-words", profile: "observation-clinical-result", cats: []code{catProcedure}, v: last,
		what: []code{loinc("11524-6", "EKG study")}, performer: practitioners[6].ref(),
		value: func(d *doc) { d.str("valueString", "Sinus rhythm, no change since the last study") },
	})
	g.observe(p, observation{
		id: p.id + "-obs-symptom", profile: "observation-screening-assessment", cats: []code{catSurvey}, v: last,
		what: []code{loinc("75325-1", "Symptom")}, performer: p.speaker(),
		value: func(d *doc) { d.str("valueString", "Tired in the afternoon") },
	})
	if p.minor {
		return
	}
	g.observe(p, observation{
		id: p.id + "-obs-pack-years", profile: "smokingstatus", cats: []code{catSocial}, v: last,
		what:  []code{snomed("401201003", "Cigarette pack-years")},
		value: func(d *doc) { d.quantity("valueQuantity", 20, 0, "pack-years", "{PackYears}") },
	})
}

// adherence says that a medicine is taken as it was ordered (US Core 7).
func (g *gen) adherence(v visit) {
	d := &g.d
	d.one("extension", func() {
		d.str("url", usCore+"medication-adherence")
		d.arr("extension", func() {
			d.item(func() {
				d.str("url", "medicationAdherence")
				d.obj("valueCodeableConcept", func() { d.str("text", "Takes it as ordered") })
			})
			d.item(func() { d.str("url", "dateAsserted"); d.str("valueDateTime", v.stamp) })
			d.item(func() {
				d.str("url", "informationSource")
				d.concept("valueCodeableConcept", snomed("116154003", "Patient"))
			})
		})
	})
}

// picture is what a report shows.
func (g *gen) picture(p *person, id, title string, v visit) {
	g.record("Media", id, meta{at: v.at, label: normal}, func(d *doc) {
		d.str("status", "completed")
		d.refTo("subject", p.ref())
		d.ref("encounter", "Encounter", v.id)
		d.str("createdDateTime", v.stamp)
		d.obj("content", func() {
			d.str("contentType", "text/plain")
			d.str("data", "c2tldGNo")
			d.str("title", title)
		})
	})
}
