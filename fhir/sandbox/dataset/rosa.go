package dataset

// rosaNow is the stay in hospital that an EHR launch happens in, with its
// record of vital signs.
func (g *gen) rosaNow(p *person) {
	v := g.moment(-1, 14, 5)
	v.id, v.kind = "rosa-enc-current", 3
	g.pinned("Encounter", v.id, meta{v.at, "encounter", normal}, func(d *doc) {
		g.encounterBody(p, v, encounterFacts{status: "in-progress", place: locWard, org: orgHospital})
	})
	g.bloodPressure(p, v, "rosa-current-bp")
	g.document(p, document{id: "rosa-current-admission", what: noteKinds[2].what, cats: []code{catClinicalNote}, v: v, author: p.doctor(), label: normal, pinned: true,
		text: "Admitted for pain that tablets at home no longer held. Comfortable this evening. Son and daughter informed."})
	g.message(p, message{id: "rosa-msg-tomas", from: reference{"RelatedPerson", "rosa-tomas", "Tomas Alvarez"}, to: p.doctor(),
		text: "May I bring her own blanket to the ward?", v: v, label: normal, pinned: true})
}

// rosaProtected writes one record for each labelled case of the decision
// vectors (T03, T13 to T17, T21 to T23, T30).
func (g *gen) rosaProtected(p *person) {
	for _, s := range []*story{storyPSY(), storyPart2(), storyHIV()} {
		g.tell(p, s)
	}
	v := p.visits[len(p.visits)/2]
	psych, addiction := practitioners[7].ref(), practitioners[4].ref()
	g.condition(p, conditionFacts{id: "rosa-cond-dual", what: []code{snomed("191816009", "Drug dependence")}, cats: []code{catProblem}, v: v, label: restrict("PSY", "SUD"), recorder: psych})
	g.condition(p, conditionFacts{id: "rosa-cond-alcohol-mislabelled", what: []code{snomed("15167005", "Alcohol abuse")}, cats: []code{catProblem}, v: v, label: label{"N", []string{"SUD"}}, recorder: addiction})
	g.document(p, document{id: "rosa-psychotherapy-note", what: loinc("34788-0", "Psychiatry Consult note"), cats: []code{catClinicalNote}, v: v, author: psych, label: restrict("PSYTHPN"), pinned: true,
		text: "Process note of the therapist, kept apart from the rest of the record."})
	for _, m := range []struct {
		id, org, name string
		topics        []string
	}{
		{"rosa-part2-med-elsewhere", orgHospital, "Lakeside Hospital", []string{"42CFRPart2", "OPIOIDUD"}},
		{"rosa-part2-med-hiv", orgPart2, "Lakeside Recovery Programme", []string{"42CFRPart2", "OPIOIDUD", "HIV"}},
	} {
		g.prescribe(p, prescription{id: m.id, m: medBuprenorphine, v: v, status: "active", reason: snomed("75544000", "Opioid dependence"), label: restrict(m.topics...), requester: reference{"Organization", m.org, m.name}, pinned: true})
	}
	g.pinned("DiagnosticReport", "rosa-report-nopat", meta{v.at, "diagnosticreport-note", label{"N", []string{"NOPAT"}}}, func(d *doc) {
		d.str("status", "final")
		d.concepts("category", narrativeReports[0].category)
		d.concept("code", loinc("24627-2", "CT Chest"))
		d.refTo("subject", p.ref())
		d.ref("encounter", "Encounter", v.id)
		d.str("effectiveDateTime", v.stamp)
		d.str("issued", v.stamp)
		d.oneRef("performer", practitioners[5].ref())
		d.str("conclusion", "Growth of the known mass. The doctor will speak with the patient first.")
	})
}

// rosaPapers writes the instruments the example Consents rest on. Days are the
// distances of their dates from the day the examples were written.
func (g *gen) rosaPapers(p *person) {
	marcus := reference{"RelatedPerson", "rosa-marcus", "Marcus Alvarez"}
	hpoa := g.moment(-2780, 9, 0)
	consent := []code{loinc("59284-0", "Patient Consent")}
	g.example("obs-capacity.json")
	g.example("prov-activation.json")
	g.grantForm(p, "grant-0001", "proxy-grant", g.moment(-18, 10, 15))
	g.grantForm(p, "block-0004", "proxy-block", g.moment(-17, 9, 0))
	g.document(p, document{id: "signed-grant-0002", what: consent[0], cats: consent, v: g.moment(-18, 10, 40), author: p.ref(), label: restricted, pinned: true,
		text: "Signed form: my husband Tomas may see the ordinary parts of my record and write to the team, for one year."})
	g.document(p, document{id: "hpoa-instrument-2019", what: loinc("64298-3", "Power of attorney"), cats: []code{catDirective}, v: hpoa, author: p.ref(), label: normal, pinned: true,
		text: "Durable power of attorney for health care. I appoint my son Marcus as my agent when I can no longer decide."})
	g.document(p, document{id: "part2-consent-0006", what: loinc("64292-6", "Release of information consent"), cats: consent, v: g.moment(-15, 11, 20),
		author: reference{"Organization", orgPart2, "Lakeside Recovery Programme"}, label: restrict("42CFRPart2", "SUD"), pinned: true,
		text: "Written consent under 42 CFR 2.31: the programme may tell my sister Ines about attendance, medicines and plan of care."})
	g.document(p, document{id: "letters-testamentary-0007", what: loinc("51851-4", "Administrative note"), cats: consent, v: g.moment(-1, 12, 0), undated: true, author: marcus, label: restricted, pinned: true,
		text: "Letters testamentary naming Marcus Alvarez executor."})
	g.pinned("Consent", "adi-agent-appointment-2019", meta{at: hpoa.at, label: normal}, func(d *doc) {
		d.str("status", "active")
		d.concept("scope", code{term + "consentscope", "adr", "Advanced Care Directive"})
		d.concepts("category", catDirective)
		d.refTo("patient", p.ref())
		d.str("dateTime", hpoa.stamp)
		d.oneRef("performer", p.ref())
		d.oneRef("organization", reference{"Organization", orgPalliative, "Lakeside Palliative Care"})
		d.ref("sourceReference", "DocumentReference", "hpoa-instrument-2019")
		d.one("policy", func() { d.str("uri", ownBase+"/policy/advance-directive/1") })
		d.obj("provision", func() {
			d.one("actor", func() {
				d.concept("role", code{sysRole, "HPOWATT", "healthcare power of attorney"})
				d.refTo("reference", marcus)
			})
		})
	})
}

// grantForm is the completed form in which a person gave or refused access.
func (g *gen) grantForm(p *person, id, title string, v visit) {
	g.questionnaire(p, responseFacts{id: id, title: title, v: v, label: restricted, pinned: true, items: []question{
		{"understood", "Do you understand what you are deciding?", "Yes", code{}},
		{"decision", "Is this your own decision?", "Yes", code{}},
	}})
}

// noahPrivate writes the results that stay with Noah (vectors T26 and T27),
// and the form that he and his mother completed.
func (g *gen) noahPrivate(p *person) {
	g.grantForm(p, "teen-0005", "teen-sharing", g.moment(-31, 14, 30))
	for _, o := range []struct {
		id    string
		what  code
		label label
	}{
		{"noah-lab-std", loinc("43304-5", "Chlamydia trachomatis rRNA [Presence] in Specimen by NAA with probe detection"), restrict("STD")},
		{"noah-lab-private", loinc("3426-4", "Tetrahydrocannabinol [Presence] in Urine by Screen method"), label{"N", []string{"PRS"}}},
	} {
		g.observe(p, observation{
			id: o.id, profile: "observation-lab", cats: []code{catLab}, what: []code{o.what}, v: p.last(), label: o.label, pinned: true,
			performer: reference{"Organization", orgLab, "Lakeside Laboratory"},
			value: func(d *doc) {
				d.concept("valueCodeableConcept", snomed("260385009", "Negative (qualifier value)"))
			},
		})
	}
}
