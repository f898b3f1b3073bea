package evidence

import (
	"encoding/json"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// TypeNotice is what somebody was told (RS-10). It is no record of its own: it is
// written for its reader from the notice in the portal, each time it is read.
const TypeNotice = "Communication"

const systemNotice = fhir.Canonical + "/CodeSystem/notice"

// Notice is something that Mandate told one person in the portal.
type Notice struct {
	ID string
	// Kind is grant, access, renewal, revocation, breach or other.
	Kind string
	// To is who was told. Subject is the patient whose record it is about, About the
	// one who helps; both empty where the reader is told of neither.
	To      Party
	Subject string
	About   fhir.Reference
	// Text is what the portal says, in Language (a BCP 47 tag).
	Text, Language string
	Created        time.Time
	// Sent is when it was handed on, zero before; Seen when it was marked as read.
	Sent, Seen time.Time
	// Over: nobody could use it any more before it was handed on.
	Over bool
}

// status follows the delivery: what was read in the portal has arrived, whether or
// not anything else was sent.
func (n Notice) status() string {
	switch {
	case n.Over && n.Sent.IsZero():
		return "stopped"
	case n.Over:
		return "not-done"
	case n.Sent.IsZero() && n.Seen.IsZero():
		return "preparation"
	}
	return "completed"
}

// arrived is when it was sent: into the portal, where it was read before anything
// else.
func (n Notice) arrived() time.Time {
	if n.Sent.IsZero() && !n.Seen.IsZero() {
		return n.Created
	}
	return n.Sent
}

// Communication gives the resource. Its medium is the portal: whether an e-mail went
// beside could tell of a hold.
func (n Notice) Communication() (Record, error) {
	doc := fields{
		"resourceType": TypeNotice, "meta": restricted(), "language": n.Language, "status": n.status(),
		"category":  []fields{concept(systemNotice, n.Kind)},
		"medium":    []fields{concept(systemMode, Online)},
		"recipient": []fields{n.To.reference()}, "sender": Party{}.reference(),
		"payload": []fields{{"contentString": n.Text}},
	}
	out := Record{Type: TypeNotice, ID: n.ID, Person: n.To.Account, Patient: n.Subject, Status: n.status(), Updated: n.Created}
	if n.Subject != "" {
		doc["subject"] = link("Patient/" + n.Subject)
	}
	if !n.About.IsZero() {
		doc["about"] = []fields{link(n.About.String())}
	}
	// Each of what can happen to it is a version.
	after := 0
	if at := n.arrived(); !at.IsZero() && !n.Over {
		doc["sent"] = instant(at)
	}
	for _, at := range []time.Time{n.Sent, n.Seen} {
		if !at.IsZero() {
			after++
		}
		if at.After(out.Updated) {
			out.Updated = at
		}
	}
	if !n.Seen.IsZero() {
		doc["received"] = instant(n.Seen)
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return Record{}, err
	}
	out.JSON = raw
	return out.Next(after, out.Updated)
}
