package dataset

import "time"

// story is a part of a life that its records must not tell everybody: it is
// written with restricted labels all through.
type story struct {
	name      string
	topics    []string // of everything but the medicine
	medTopics []string
	what, icd code
	med       *medicine
	lab       *analyte
	screening answer
	note      string
	who       reference // the clinician
	org       string    // a 42 CFR Part 2 programme signs for itself
}

func (s *story) part2() bool { return s.org == orgPart2 }

// author is the programme itself where Part 2 applies, because Consents name
// it in provision.data (example e6), and the clinician otherwise.
func (s *story) author() reference {
	if s.part2() {
		return reference{"Organization", orgPart2, "Lakeside Recovery Programme"}
	}
	return s.who
}

func storyHIV() *story {
	return &story{name: "hiv", topics: []string{"HIV"}, medTopics: []string{"HIV"},
		what: snomed("86406008", "Human immunodeficiency virus infection"), icd: code{sysICD10, "B20", "Human immunodeficiency virus [HIV] disease"},
		med: &medBictegravir, lab: &analyte{loinc("24467-3", "CD3+CD4+ (T4 helper) cells [#/volume] in Blood"), "cells/uL", "/uL", 410, 1590, 0},
		screening: answer{"adherence", "observation-screening-assessment", []code{catSurvey}, snomed("418633004", "Medication compliance"), snomed("373066001", "Yes"), 0},
		note:      "HIV viral load suppressed on the present regimen. The family does not know the diagnosis.",
		who:       practitioners[1].ref(), org: orgPalliative}
}

func storyPSY() *story {
	return &story{name: "psy", topics: []string{"PSY"}, medTopics: []string{"PSY"},
		what: snomed("370143000", "Major depressive disorder"), icd: code{sysICD10, "F33.1", "Major depressive disorder, recurrent, moderate"},
		med:       &medSertraline,
		screening: answer{"phq9", "observation-screening-assessment", []code{catSurvey}, loinc("44261-6", "Patient Health Questionnaire 9 item (PHQ-9) total score [Reported]"), code{}, 12},
		note:      "Low mood since the autumn, no plans of self-harm. Talking therapy offered, sertraline continued.",
		who:       practitioners[7].ref(), org: orgHospital}
}

func storyPart2() *story {
	return &story{name: "part2", topics: []string{"42CFRPart2", "SUD"}, medTopics: []string{"42CFRPart2", "OPIOIDUD"},
		what: snomed("75544000", "Opioid dependence"), icd: code{sysICD10, "F11.20", "Opioid dependence, uncomplicated"},
		med: &medBuprenorphine, lab: &analyte{loinc("19295-5", "Opiates [Presence] in Urine by Screen method"), "", "", 0, 0, 0},
		screening: answer{"opioid-craving", "observation-screening-assessment", []code{catSurvey}, loinc("82667-7", "Total score [DAST-10]"), code{}, 3},
		note:      "Attends the programme weekly. Stable on sublingual buprenorphine with naloxone; no relapse reported.",
		who:       practitioners[4].ref(), org: orgPart2}
}

func storyETH() *story {
	return &story{name: "eth", topics: []string{"ETH"}, medTopics: []string{"ETH"},
		what: snomed("7200002", "Alcoholism"), icd: code{sysICD10, "F10.20", "Alcohol dependence, uncomplicated"},
		med: &medNaltrexone, lab: &analyte{loinc("2324-2", "Gamma glutamyl transferase [Enzymatic activity/volume] in Serum or Plasma"), "U/L", "U/L", 8, 61, 0},
		screening: answer{"audit-c", "observation-screening-assessment", []code{catSurvey}, loinc("75626-2", "Total score [AUDIT-C]"), code{}, 7},
		note:      "Drinks less since the spring. Naltrexone tolerated, liver enzymes falling.",
		who:       practitioners[2].ref(), org: orgPalliative}
}

func storySDV() *story {
	return &story{name: "sdv", topics: []string{"SDV"},
		what: snomed("706893006", "Victim of intimate partner abuse"), icd: code{sysICD10, "Z69.11", "Encounter for mental health services for victim of spousal or partner abuse"},
		screening: answer{"safety", "observation-screening-assessment", []code{catSocial, catSDOH}, loinc("76501-6", "Within the last year, have you been afraid of your partner or ex-partner"), code{sysLOINC, "LA33-6", "Yes"}, 0},
		note:      "Spoke alone with the patient. Not safe at home at present; safety plan made, social worker involved.",
		who:       practitioners[3].ref(), org: orgPalliative}
}

// storyOf gives six of eight grown-up patients a story; Rosa and Noah have
// theirs written by hand.
func storyOf(p *person) *story {
	if p.id == "rosa" || p.minor {
		return nil
	}
	if p.id == "joaquin" {
		return storyETH()
	}
	switch p.index % 8 {
	case 1:
		return storyHIV()
	case 3, 6:
		return storyPSY()
	case 4:
		return storyPart2()
	case 5:
		return storyETH()
	case 7:
		return storySDV()
	}
	return nil
}

// tell writes the story into the chart: four visits' worth of records.
func (g *gen) tell(p *person, s *story) {
	pre, l := p.id+"-"+s.name+"-", restrict(s.topics...)
	place := locClinic
	if s.part2() {
		place = "lakeside-recovery-centre"
	}
	step := max(1, len(p.visits)/4)
	for n := range min(4, len(p.visits)) {
		base := p.visits[n*step]
		at := base.at.AddDate(0, 0, 1)
		v := visit{id: pre + "enc-" + num3(n+1), at: at, stamp: stampOf(at), date: dateOf(at)}
		g.record("Encounter", v.id, meta{at, "encounter", l}, func(d *doc) {
			g.encounterBody(p, v, encounterFacts{status: "finished", end: at.Add(50 * time.Minute), place: place, org: s.org, reason: s.what})
		})
		g.document(p, document{id: pre + "note-" + num3(n+1), what: noteKinds[0].what, cats: []code{catClinicalNote}, text: s.note, v: v, author: s.author(), label: l})
		if s.lab != nil {
			g.storyLab(p, s, v, pre+"lab-"+num3(n+1))
		}
		if n == 0 {
			g.storyStart(p, s, v, pre)
		}
		if s.med != nil {
			f := prescription{id: pre + "med-" + num3(n+1), m: *s.med, v: v, status: []string{"completed", "active"}[n/3], label: restrict(s.medTopics...), reason: s.what, requester: s.author(), pinned: n == 0}
			if s.part2() {
				f.performer = orgPart2
			}
			g.prescribe(p, f)
			g.dispense(p, pre+"disp-"+num3(n+1), f)
		}
	}
}

// storyStart writes what is said once: the diagnoses, the screening, the plan.
func (g *gen) storyStart(p *person, s *story, v visit, pre string) {
	l := restrict(s.topics...)
	what := []code{s.what, s.icd}
	g.condition(p, conditionFacts{id: pre + "cond", what: what, cats: []code{catProblem}, v: v, label: l, recorder: s.who})
	g.condition(p, conditionFacts{id: pre + "diag", what: what, cats: []code{catEncounter}, v: v, label: l, recorder: s.who})
	g.observe(p, observation{
		id: pre + s.screening.name, profile: s.screening.profile, cats: s.screening.cats, what: []code{s.screening.what}, v: v, label: l, performer: s.author(),
		value: s.screening.write,
	})
	g.record("ServiceRequest", pre+"referral", meta{v.at, "servicerequest", l}, func(d *doc) {
		g.orderBody(p, v, orderFacts{snomed("3457005", "Patient referral"), snomed("409063005", "Counseling"), s.what, s.author()})
	})
	g.record("Procedure", pre+"talk", meta{v.at, "procedure", l}, func(d *doc) {
		d.oneRef("basedOn", reference{typ: "ServiceRequest", id: pre + "referral"})
		d.str("status", "completed")
		d.concept("code", snomed("409063005", "Counseling"))
		d.refTo("subject", p.ref())
		d.ref("encounter", "Encounter", v.id)
		d.str("performedDateTime", v.stamp)
		d.one("performer", func() { d.refTo("actor", s.author()) })
		d.concepts("reasonCode", s.what)
	})
	g.record("CarePlan", pre+"plan", meta{v.at, "careplan", l}, func(d *doc) {
		d.narrative(s.note)
		d.str("status", "active")
		d.str("intent", "plan")
		d.concepts("category", code{usCoreCS + "careplan-category", "assess-plan", "Assessment and Plan of Treatment"})
		d.refTo("subject", p.ref())
		d.ref("encounter", "Encounter", v.id)
		d.refTo("author", s.author())
		d.oneRef("addresses", reference{typ: "Condition", id: pre + "cond"})
	})
	g.message(p, message{id: pre + "msg", from: s.author(), to: p.ref(), text: s.note, v: v, label: l})
}

func (g *gen) storyLab(p *person, s *story, v visit, id string) {
	value := p.between(s.lab.low, s.lab.high*1.2)
	by := s.author()
	g.observe(p, observation{
		id: id, profile: "observation-lab", cats: []code{catLab}, what: []code{s.lab.what}, v: v, label: restrict(s.topics...), performer: by,
		value: func(d *doc) {
			if s.lab.unit == "" {
				d.concept("valueCodeableConcept", snomed("260385009", "Negative (qualifier value)"))
				return
			}
			d.quantity("valueQuantity", value, s.lab.decimals, s.lab.unit, s.lab.ucum)
			d.concepts("interpretation", interpret(value, *s.lab))
		},
	})
	g.record("DiagnosticReport", id+"-report", meta{v.at, "diagnosticreport-lab", restrict(s.topics...)}, func(d *doc) {
		d.str("status", "final")
		d.concepts("category", code{term + "v2-0074", "LAB", "Laboratory"})
		d.concept("code", s.lab.what)
		d.refTo("subject", p.ref())
		d.ref("encounter", "Encounter", v.id)
		d.str("effectiveDateTime", v.stamp)
		d.str("issued", v.stamp)
		d.oneRef("performer", by)
		d.oneRef("result", reference{typ: "Observation", id: id})
	})
}
