package gateway

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir/view"
)

// redisclosureHeader carries the notice of 42 CFR 2.32 with an answer; its value is
// the statement of the law in force, and without one that which the rule words for
// electronic records (§2.32(a)(2)): what must be said is never left out.
const (
	redisclosureHeader = "Redisclosure-Notice"
	redisclosureText   = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
	// consentHeader names the consent under which they were disclosed, and its end.
	consentHeader = "Redisclosure-Consent"
)

// redisclosure is what must accompany records of a substance use programme that
// leave by the patient's written consent (42 CFR 2.32, P2-14): the notice, and a
// clear explanation of the consent. The patient needs none (§2.23). The zero value
// accompanies nothing, so that an answer without such records tells nothing.
type redisclosure struct {
	text     string
	consents []string
	// until is when the first of them ends; zero when none has an end.
	until time.Time
}

// redisclosureOf gives what must accompany a resource under a decision.
func (d *Deps) redisclosureOf(of access.Decision) redisclosure {
	if !slices.Contains(of.Obligations, access.Part2Notice) {
		return redisclosure{}
	}
	out := redisclosure{text: redisclosureText, consents: slices.Clone(of.Consents), until: of.ValidUntil}
	if d.Notice != nil {
		out.text = cmp.Or(d.Notice(d.Clock.Now()), redisclosureText)
	}
	return out
}

func (p redisclosure) due() bool { return len(p.consents) > 0 }

// with gives what must accompany two things together.
func (p redisclosure) with(other redisclosure) redisclosure {
	if !other.due() {
		return p
	}
	p.text = other.text
	for _, c := range other.consents {
		if !slices.Contains(p.consents, c) {
			p.consents = append(p.consents, c)
		}
	}
	if p.until.IsZero() || !other.until.IsZero() && other.until.Before(p.until) {
		p.until = other.until
	}
	return p
}

// announce sets the headers of an answer of which nothing has left.
func (p redisclosure) announce(h http.Header) {
	if !p.due() {
		return
	}
	h.Set(redisclosureHeader, p.text)
	about := strings.Join(p.consents, ", ")
	if !p.until.IsZero() {
		about += "; until=" + p.until.UTC().Format(time.RFC3339)
	}
	h.Set(consentHeader, about)
}

// outcome is the notice as an OperationOutcome, for answers of many parts.
func (p redisclosure) outcome() []byte {
	type object = map[string]any
	about := "Disclosed under the patient's written consent " + strings.Join(p.consents, ", ")
	if !p.until.IsZero() {
		about += ", which holds until " + p.until.UTC().Format(time.RFC3339)
	}
	// Strings always marshal.
	raw, _ := json.Marshal(object{"resourceType": "OperationOutcome", "issue": []object{{
		"severity": "information", "code": "informational", "details": object{"text": p.text},
		"diagnostics": about + ". It covers what is in this answer and does not permit passing it on.",
	}}})
	return raw
}

func (p redisclosure) entry() view.Entry {
	return view.Entry{Resource: p.outcome(), Search: []byte(`{"mode":"outcome"}`)}
}
