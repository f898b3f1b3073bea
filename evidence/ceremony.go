package evidence

import (
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// Shown is a page as somebody saw it who then agreed or took back: in which words
// and what was answered.
type Shown struct {
	// Page names the questions, such as share.
	Page string
	// Language is a BCP 47 tag, Words the version of the texts in it.
	Language, Words string
	Lines           []Line
}

// Line is one thing that a page said or asked.
type Line struct {
	// ID names it among those of the page.
	ID string
	// Text is what stood there.
	Text string
	// Answer is zero for what asks nothing and for what was left empty.
	Answer Answer
	// Lines are the parts of a question that has some; it has no answer itself.
	Lines []Line
}

// Answer is what was answered to one question.
type Answer struct {
	element string
	value   any
}

// Ticked answers a box.
func Ticked(on bool) Answer { return Answer{"valueBoolean", on} }

// Chosen answers a list of which one is chosen, with its words.
func Chosen(code, words string) Answer {
	return Answer{"valueCoding", fields{"code": code, "display": words}}
}

// Day answers with a date (YYYY-MM-DD).
func Day(date string) Answer { return Answer{"valueDate", date} }

// Typed answers with text; without any it is no answer.
func Typed(text string) Answer {
	if text == "" {
		return Answer{}
	}
	return Answer{"valueString", text}
}

func (l Line) fields() fields {
	out := fields{"linkId": l.ID, "text": l.Text}
	if l.Answer.element != "" {
		out["answer"] = []fields{{l.Answer.element: l.Answer.value}}
	}
	if parts := items(l.Lines); parts != nil {
		out["item"] = parts
	}
	return out
}

func items(lines []Line) (out []fields) {
	for _, l := range lines {
		out = append(out, l.fields())
	}
	return out
}

// Ceremony is how somebody agreed to a Consent on a page, or took one back (RS-06).
type Ceremony struct {
	ID, Patient string
	Shown
	By Party
	At time.Time
	// Consents are the ids of those that came of it or ended by it, of which the first
	// is what the record speaks about.
	Consents []string
}

// extensionCeremony names a Consent: R4 has no element of a QuestionnaireResponse
// for it.
const extensionCeremony = fhir.Canonical + "/StructureDefinition/ceremony-consent"

// QuestionnaireResponse gives the record. The version of its Questionnaire is that
// of the words: the same page in other words is another one.
func (c Ceremony) QuestionnaireResponse() (Record, error) {
	doc := fields{
		"resourceType": TypeCeremony, "meta": restricted(), "language": c.Language, "status": "completed",
		"questionnaire": fhir.Canonical + "/Questionnaire/" + c.Page + "|" + c.Words,
		"subject":       link("Patient/" + c.Patient), "authored": instant(c.At),
		"author": c.By.reference(), "source": c.By.reference(), "item": items(c.Lines),
	}
	var about []fields
	for _, id := range c.Consents {
		about = append(about, fields{"url": extensionCeremony, "valueReference": link("Consent/" + id)})
	}
	if about != nil {
		doc["extension"] = about
	}
	return made(c.ID, c.Patient, doc)
}
