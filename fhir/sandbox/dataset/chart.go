package dataset

// chart writes everything about one patient.
func (g *gen) chart(p *person) {
	g.plan(p)
	g.patient(p)
	g.coverage(p)
	g.careTeam(p)
	for _, v := range p.visits {
		g.encounter(p, v)
	}
	g.conditions(p)
	g.allergies(p)
	g.immunizations(p)
	g.medications(p)
	for n := range 2 {
		g.statement(p, n)
	}
	g.labs(p)
	g.vitals(p)
	g.averagePressure(p)
	g.surveys(p)
	g.preferences(p)
	g.walking(p)
	g.remarks(p)
	g.procedures(p)
	g.device(p)
	g.goals(p)
	g.carePlans(p)
	g.notes(p)
	g.appointments(p)
	g.messages(p)
	if p.story != nil {
		g.tell(p, p.story)
	}
	g.examplesOf(p)
	g.provenance(p)
}

// examplesOf adds what the example Consents refer to.
func (g *gen) examplesOf(p *person) {
	switch p.id {
	case "rosa":
		g.rosaNow(p)
		g.rosaProtected(p)
		g.rosaPapers(p)
	case "noah":
		g.noahPrivate(p)
	case "joaquin":
		g.grantForm(p, "grant-0008", "proxy-grant", g.moment(-14, 14, 0))
	}
}

// moment is a point in time outside any Encounter, in days from the start day.
func (g *gen) moment(days, hour, minute int) visit {
	at := g.on(days, hour, minute)
	return visit{at: at, stamp: stampOf(at), date: dateOf(at)}
}
