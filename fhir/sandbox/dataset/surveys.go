package dataset

import "strconv"

// answer is one survey or social-history finding: a score where there is no
// coded value.
type answer struct {
	name, profile string
	cats          []code
	what, value   code
	score         int
}

func (a answer) write(d *doc) {
	if a.value.code == "" {
		d.quantity("valueQuantity", float64(a.score), 0, "{score}", "{score}")
		return
	}
	d.concept("valueCodeableConcept", a.value)
}

// adult tells whether the question is put to grown-ups only.
func (a answer) adult() bool {
	return a.name == "orientation" || a.name == "marital" || a.name == "phq2"
}

var neverSmoked = snomed("266919005", "Never smoked tobacco (finding)")

var answers = [...]answer{
	{"smoking", "smokingstatus", []code{catSocial}, loinc("72166-2", "Tobacco smoking status"), snomed("8517006", "Ex-smoker (finding)"), 0},
	{"orientation", "observation-sexual-orientation", []code{catSocial}, loinc("76690-7", "Sexual orientation"), snomed("20430005", "Heterosexual (finding)"), 0},
	{"marital", "simple-observation", []code{catSocial}, loinc("45404-1", "Marital status"), snomed("87915002", "Married"), 0},
	{"phq2", "observation-screening-assessment", []code{catSurvey}, loinc("55758-7", "Patient Health Questionnaire 2 item (PHQ-2) total score [Reported]"), code{}, 1},
	{"ecog", "observation-screening-assessment", []code{catSurvey}, loinc("89247-1", "ECOG Performance Status score"), code{}, 3},
	{"pain", "observation-screening-assessment", []code{catSurvey}, loinc("72514-3", "Pain severity - 0-10 verbal numeric rating [Score] - Reported"), code{}, 4},
	{"food-worry", "observation-screening-assessment", []code{catSurvey, catSDOH}, loinc("88122-7", "Within the past 12 months we worried whether our food would run out before we got money to buy more [U.S. FSS]"), code{sysLOINC, "LA28398-8", "Never true"}, 0},
	{"food-last", "observation-screening-assessment", []code{catSurvey, catSDOH}, loinc("88123-5", "Within the past 12 months the food we bought just didn't last and we didn't have money to get more [U.S. FSS]"), code{sysLOINC, "LA28398-8", "Never true"}, 0},
	{"housing", "observation-screening-assessment", []code{catSurvey, catSDOH}, loinc("71802-3", "Housing status"), code{sysLOINC, "LA30189-7", "I have housing"}, 0},
	{"transport", "observation-screening-assessment", []code{catSocial, catSDOH}, loinc("93030-5", "Has lack of transportation kept you from medical appointments, meetings, work, or from getting things needed for daily living"), code{sysLOINC, "LA32-8", "No"}, 0},
}

// surveys writes social history, screening results (with SDOH among them) and
// clinical tests.
func (g *gen) surveys(p *person) {
	first, last := p.visits[0], p.last()
	for n, a := range answers {
		v := first
		if n%2 == 1 {
			v = last
		}
		if p.minor && a.adult() {
			continue
		}
		if p.minor && a.name == "smoking" {
			a.value = neverSmoked
		}
		g.observe(p, observation{
			id: p.id + "-obs-" + a.name, profile: a.profile, cats: a.cats, what: []code{a.what}, v: v,
			value: a.write,
		})
	}
	if !p.minor {
		g.occupation(p, first)
	}
	if p.gender == "female" && p.years(g.day) < 60 && !p.minor {
		g.pregnancy(p, last)
	}
	g.hungerPanel(p, last)
	for n, v := range p.visits {
		if n%3 == 0 {
			g.clinicalTest(p, v, n)
		}
	}
	g.questionnaire(p, responseFacts{id: p.id + "-qr-symptoms", title: "edmonton-symptom-assessment", v: last, items: symptomItems[:], label: normal})
	g.questionnaire(p, responseFacts{id: p.id + "-qr-food", title: "hunger-vital-sign", v: last, items: foodItems[:], label: normal, author: p.doctor()})
}

func (g *gen) occupation(p *person, v visit) {
	g.observe(p, observation{
		id: p.id + "-obs-occupation", profile: "observation-occupation", cats: []code{catSocial},
		what: []code{loinc("11341-5", "History of Occupation")}, v: v,
		value: func(d *doc) {
			d.concept("valueCodeableConcept", code{"urn:oid:2.16.840.1.114222.4.5.327", "2310", "Elementary and middle school teachers"})
			d.one("component", func() {
				d.concept("code", loinc("86188-0", "History of Occupation Industry"))
				d.concept("valueCodeableConcept", code{"urn:oid:2.16.840.1.114222.4.5.327", "7860", "Elementary and secondary schools"})
			})
		},
	})
}

func (g *gen) pregnancy(p *person, v visit) {
	g.observe(p, observation{
		id: p.id + "-obs-pregnancy", profile: "observation-pregnancystatus", cats: []code{catSocial},
		what: []code{loinc("82810-3", "Pregnancy status")}, v: v,
		value: func(d *doc) { d.concept("valueCodeableConcept", snomed("60001007", "Not pregnant")) },
	})
	g.observe(p, observation{
		id: p.id + "-obs-pregnancy-intent", profile: "observation-pregnancyintent", cats: []code{catSocial},
		what: []code{loinc("86645-9", "Pregnancy intention in the next year - Reported")}, v: v,
		value: func(d *doc) {
			d.concept("valueCodeableConcept", snomed("454381000124105", "Not wanting to become pregnant"))
		},
	})
}

// hungerPanel groups the two food questions.
func (g *gen) hungerPanel(p *person, v visit) {
	g.observe(p, observation{
		id: p.id + "-obs-food", profile: "observation-screening-assessment", cats: []code{catSurvey, catSDOH},
		what: []code{loinc("88121-9", "Hunger Vital Sign [HVS]")}, v: v,
		value: func(d *doc) {
			d.arr("hasMember", func() {
				d.item(func() { d.refBody("Observation", p.id+"-obs-food-worry") })
				d.item(func() { d.refBody("Observation", p.id+"-obs-food-last") })
			})
			d.oneRef("derivedFrom", reference{typ: "QuestionnaireResponse", id: p.id + "-qr-food"})
		},
	})
}

// clinicalTest writes a result of the category procedure.
func (g *gen) clinicalTest(p *person, v visit, n int) {
	o := observation{
		id: p.id + "-test-" + num3(n+1), profile: "observation-clinical-result", cats: []code{catProcedure}, v: v,
		performer: practitioners[6].ref(),
	}
	if n%2 == 0 {
		o.what = []code{loinc("11524-6", "EKG study")}
		o.value = func(d *doc) { d.concept("valueCodeableConcept", snomed("64730000", "Normal sinus rhythm")) }
	} else {
		ejection := p.between(30, 65)
		o.what = []code{loinc("10230-1", "Left ventricular Ejection fraction")}
		o.value = func(d *doc) { d.quantity("valueQuantity", ejection, 0, "%", "%") }
	}
	g.observe(p, o)
}

// question is one item with its answer: a number, a coded answer or a text.
type question struct {
	link, text, answer string
	coded              code
}

func (q question) write(d *doc) {
	d.str("linkId", q.link)
	d.str("text", q.text)
	d.one("answer", func() {
		switch score, err := strconv.Atoi(q.answer); {
		case err == nil:
			d.num("valueDecimal", float64(score), 0)
		case q.coded.code != "":
			d.obj("valueCoding", func() { d.codingBody(q.coded) })
		default:
			d.str("valueString", q.answer)
		}
	})
}

var neverTrue = code{sysLOINC, "LA28398-8", "Never true"}

var symptomItems = [...]question{
	{"pain", "How bad is your pain today, from 0 to 10?", "4", code{}},
	{"tiredness", "How tired are you, from 0 to 10?", "6", code{}},
	{"nausea", "How sick do you feel, from 0 to 10?", "1", code{}},
	{"breath", "How short of breath are you, from 0 to 10?", "3", code{}},
}

var foodItems = [...]question{
	{"worry", "Within the past 12 months we worried whether our food would run out", "Never true", neverTrue},
	{"last", "Within the past 12 months the food we bought did not last", "Never true", neverTrue},
}

type responseFacts struct {
	id, title string
	v         visit
	items     []question
	label     label
	pinned    bool
	author    reference // the patient's side, when empty
}

// closing ends a questionnaire with questions outside any group: a number with
// a question that follows from it, a text and a coded answer.
func (g *gen) closing() {
	d := &g.d
	d.item(func() {
		d.str("linkId", "trouble")
		d.str("text", "How much does all of this trouble you, from 0 to 10?")
		d.one("answer", func() {
			d.num("valueDecimal", 3, 0)
			d.one("item", func() { question{"most", "What troubles you most?", "The stairs", code{}}.write(d) })
		})
	})
	d.item(func() {
		question{"else", "What else should we know?", "I sleep better since last week", code{}}.write(d)
	})
	d.item(func() {
		question{"help", "Do you want help with this?", "No", code{sysLOINC, "LA32-8", "No"}}.write(d)
	})
}

func (g *gen) questionnaire(p *person, f responseFacts) {
	write := g.writer(f.pinned)
	write("QuestionnaireResponse", f.id, meta{f.v.at, "questionnaireresponse", f.label}, func(d *doc) {
		d.obj("identifier", func() { d.str("system", ownBase+"/id/response"); d.str("value", f.id) })
		d.str("questionnaire", ownBase+"/fhir/Questionnaire/"+f.title)
		d.obj("_questionnaire", func() {
			d.arr("extension", func() {
				d.item(func() {
					d.str("url", "http://hl7.org/fhir/StructureDefinition/display")
					d.str("valueString", f.title)
				})
				d.item(func() {
					d.str("url", usCore+"extension-questionnaire-uri")
					d.str("valueUri", ownBase+"/fhir/Questionnaire/"+f.title)
				})
			})
		})
		d.str("status", "completed")
		d.refTo("subject", p.ref())
		if f.v.id != "" {
			d.ref("encounter", "Encounter", f.v.id)
		}
		d.str("authored", f.v.stamp)
		if f.author.id == "" {
			f.author = p.speaker()
		}
		d.refTo("author", f.author)
		d.refTo("source", p.speaker())
		items := func() {
			for _, q := range f.items {
				d.item(func() { q.write(d) })
			}
		}
		d.arr("item", func() {
			d.item(func() {
				d.str("linkId", "all")
				d.str("text", "Your answers")
				d.arr("item", items)
			})
			g.closing()
		})
	})
}
