package evidence

import (
	"encoding/base64"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// Human is one person across own record and the records of others (RS-01).
type Human struct {
	ID, Account, Name string
	Active            bool
	Links             []Link
}

// Link is one identity of a human.
type Link struct {
	Target fhir.Reference
	// Level is the assurance that it is the same human, 1 to 4.
	Level int
}

// Person gives the record.
func (h Human) Person() (Record, error) {
	doc := fields{
		"resourceType": TypePerson, "meta": restricted(), "active": h.Active,
		"identifier": []fields{{"system": SystemAccount, "value": h.Account}},
	}
	if h.Name != "" {
		doc["name"] = []fields{{"text": h.Name}}
	}
	var links []fields
	for _, l := range h.Links {
		links = append(links, fields{"target": link(l.Target.String()), "assurance": "level" + string(rune('0'+min(max(l.Level, 1), 4)))})
	}
	if links != nil {
		doc["link"] = links
	}
	return made(h.ID, "", doc)
}

// Document is a signed form or an instrument (RS-05).
type Document struct {
	ID, Patient string
	Relation    fhir.Reference
	// By is who put it in; the zero Party leaves that out.
	By Party
	At time.Time
	// Kind is the v3-RoleCode of an instrument, "" for a signed form.
	Kind string
	// Media and Bytes are the image of it; none where staff saw the paper only.
	Media string
	Bytes []byte
}

// BinaryID is the id of the record that holds the bytes.
func (d Document) BinaryID() string { return d.ID + "-file" }

// DocumentReference gives the record about the document.
func (d Document) DocumentReference() (Record, error) {
	typ, title := concept(systemLOINC, "64292-6"), "Signed form"
	attachment := fields{"creation": instant(d.At)}
	doc := fields{
		"resourceType": TypeDocument, "meta": restricted(), "status": "current", "subject": link("Patient/" + d.Patient),
		"date": instant(d.At),
	}
	if d.By != (Party{}) {
		doc["author"] = []fields{d.By.reference()}
	}
	if d.Kind != "" {
		// A power of attorney is an advance directive; a court's order is not.
		typ, title = concept(fhir.SystemRoleCode, d.Kind), "Legal instrument"
		if RoleOf(d.Kind) == "POACON" {
			doc["category"] = []fields{concept(systemLOINC, "42348-3")}
		}
	}
	attachment["title"] = title
	if d.Bytes != nil {
		attachment["contentType"], attachment["url"], attachment["size"] = d.Media, "Binary/"+d.BinaryID(), len(d.Bytes)
	}
	doc["type"], doc["content"] = typ, []fields{{"attachment": attachment}}
	if !d.Relation.IsZero() {
		doc["context"] = fields{"related": []fields{link(d.Relation.String())}}
	}
	return made(d.ID, d.Patient, doc)
}

// Binary gives the record of the bytes.
func (d Document) Binary() (Record, error) {
	out, err := made(d.BinaryID(), d.Patient, fields{
		"resourceType": TypeBinary, "meta": restricted(), "contentType": d.Media,
		"securityContext": link(TypeDocument + "/" + d.ID), "data": base64.StdEncoding.EncodeToString(d.Bytes),
	})
	out.Person = d.By.Account
	return out, err
}
