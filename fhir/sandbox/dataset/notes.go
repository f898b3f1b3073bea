package dataset

import "encoding/base64"

// noteKind is one kind of clinical note.
type noteKind struct {
	what code
	text string
}

var noteKinds = [...]noteKind{
	{loinc("11506-3", "Progress note"), "Symptoms reviewed with the family. Pain is 4 of 10, sleep is fair. Continue the present plan and call in two weeks."},
	{loinc("11488-4", "Consult note"), "Seen at the request of the primary team. Prognosis and goals of care discussed. The patient wishes to stay at home."},
	{loinc("34117-2", "History and physical note"), "Long-standing illness with slow decline. Comfortable at rest, short of breath on the stairs. Chest clear, no oedema."},
	{loinc("18842-5", "Discharge summary"), "Admitted for symptom control. Pain settled on a new regimen. Home with the visiting nurse and the night line."},
	{loinc("28570-0", "Procedure note"), "Procedure done under local anaesthesia without complication. Observe for four hours."},
}

var catClinicalNote = code{usCoreCS + "us-core-documentreference-category", "clinical-note", "Clinical Note"}

// catDirective marks advance directives among the documents.
var catDirective = loinc("42348-3", "Advance directives")

// document is one DocumentReference whose content is Binary/<id>-content.
type document struct {
	id      string
	what    code
	cats    []code
	text    string
	v       visit
	author  reference
	label   label
	pinned  bool
	undated bool
	inline  bool // the text is in the attachment too
}

// notes writes one note for each visit, the advance directives and the
// narrative reports.
func (g *gen) notes(p *person) {
	for n, v := range p.visits {
		k := noteKinds[(n+p.index)%len(noteKinds)]
		if visitKinds[v.kind].class.code == "IMP" {
			k = noteKinds[3]
		}
		l := normal
		if n%8 == 5 {
			l = restricted // family matters: restricted without a topic
		}
		g.document(p, document{id: p.id + "-note-" + num3(n+1), what: k.what, cats: []code{catClinicalNote}, v: v, author: p.doctor(), label: l,
			text: p.given + " " + p.family + ", " + v.date + ". " + k.text})
	}
	g.document(p, document{id: p.id + "-directive", what: loinc("81334-5", "Patient Personal advance care plan"), cats: []code{catDirective}, v: p.visits[0], author: p.speaker(), label: normal, inline: true,
		text: "Advance directive of " + p.given + " " + p.family + ". I wish to be cared for at home, without tube feeding and without a breathing machine."})
	for n, r := range narrativeReports {
		g.narrativeReport(p, p.id+"-report-"+num3(n+1), r, p.visits[n%len(p.visits)])
	}
}

func (g *gen) document(p *person, f document) {
	binary := f.id + "-content"
	write := g.writer(f.pinned)
	data := base64.StdEncoding.EncodeToString([]byte(f.text))
	write("DocumentReference", f.id, meta{f.v.at, "documentreference", f.label}, func(d *doc) {
		d.identifier("", sysDocument, f.id)
		d.str("status", "current")
		d.str("docStatus", "final")
		d.concept("type", f.what)
		d.concepts("category", f.cats...)
		d.refTo("subject", p.ref())
		if !f.undated {
			d.str("date", f.v.stamp)
		}
		d.oneRef("author", f.author)
		d.ref("custodian", "Organization", orgPalliative)
		d.one("content", func() {
			d.obj("attachment", func() {
				d.str("contentType", "text/plain")
				if f.inline {
					d.str("data", data)
				}
				d.str("url", "Binary/"+binary)
				d.str("title", f.what.display)
			})
			d.obj("format", func() {
				d.codingBody(code{"http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode", "urn:ihe:iti:xds:2017:mimeTypeSufficient", "mimeType Sufficient"})
			})
		})
		if f.v.id != "" {
			d.obj("context", func() {
				d.oneRef("encounter", reference{typ: "Encounter", id: f.v.id})
				d.period("period", f.v.stamp, f.v.stamp)
			})
		}
	})
	write("Binary", binary, meta{at: f.v.at, label: f.label}, func(d *doc) {
		d.str("contentType", "text/plain")
		d.ref("securityContext", "DocumentReference", f.id)
		d.str("data", data)
	})
}

// cardiology is the category of the reports that show a picture.
const cardiology = "LP29708-2"

var narrativeReports = [...]struct{ category, what code }{
	{loinc("LP29684-5", "Radiology"), loinc("36643-5", "XR Chest 2 Views")},
	{loinc(cardiology, "Cardiology"), loinc("34552-0", "Cardiac 2D echo panel")},
	{loinc("LP7839-6", "Pathology"), loinc("60567-5", "Comprehensive pathology report panel")},
}

func (g *gen) narrativeReport(p *person, id string, r struct{ category, what code }, v visit) {
	text := base64.StdEncoding.EncodeToString([]byte(r.what.display + ": no change since the last study."))
	if r.category.code == cardiology {
		g.picture(p, id+"-media", r.what.display, v)
	}
	g.record("DiagnosticReport", id, meta{v.at, "diagnosticreport-note", normal}, func(d *doc) {
		d.str("status", "final")
		d.concepts("category", r.category)
		d.concept("code", r.what)
		d.refTo("subject", p.ref())
		d.ref("encounter", "Encounter", v.id)
		d.str("effectiveDateTime", v.stamp)
		d.str("issued", v.stamp)
		d.oneRef("performer", practitioners[5].ref())
		d.oneRef("resultsInterpreter", practitioners[5].ref())
		if r.category.code == cardiology {
			d.oneRef("result", reference{typ: "Observation", id: p.id + "-test-001"})
			d.one("media", func() { d.ref("link", "Media", id+"-media") })
		}
		d.str("conclusion", "No change since the last study.")
		d.one("presentedForm", func() { d.str("contentType", "text/plain"); d.str("data", text); d.str("title", r.what.display) })
	})
}
