package explain

import (
	"fmt"
	"strings"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/web/gateway"
)

// sentences say why a rule refused; %s stands for the subject. The codes are those
// of access, consent and web/gateway.
var sentences = map[string]string{
	"grant-ended":             "The grant has come to its end, or the Consent that records it was withdrawn.",
	"relation-not-in-force":   "The relationship by which the proxy acts is not in force: it is inactive, outside its period, or with another patient.",
	"safety-hold":             "The record is held: somebody reported coercion or misuse, and nothing goes to proxies until that is settled.",
	"consents-unknown":        "The patient's consents could not be read, and without them a proxy gets nothing.",
	"consents-ended":          "No consent of the patient lets this person do anything any more: it was withdrawn, has ended, or another one prohibits all.",
	"interaction-not-offered": "Mandate does not offer this kind of request (%s) to anybody in this capacity.",
	"operation-not-offered":   "The operation %s is not offered, or not to this capacity or in this form.",
	"type-never-for-proxies":  "Proxies never see the type %s: it would tell who else has access, or that something is kept from them.",
	"type-not-offered":        "Apps have no access to the type %s.",
	"no-scope":                "Nothing that was granted, or that the consents leave of it, covers %s.",
	"parameter-not-allowed":   "The search parameter %s is refused: by its effect hidden data could be told from absent data.",
	"outside-compartment":     "It is about another patient, about nobody who could be made out, or about several at once.",
	"outside-scope":           "The granted scopes name the type %s but do not reach this resource: it lies outside their category, code, date or patient.",
	"psychotherapy-notes":     "Psychotherapy notes are never released by an app, whatever was granted.",
	"part-2":                  "It comes from a substance use programme under 42 CFR Part 2, which leaves with the patient's own consent only.",
	"topic-not-shared":        "It is about a sensitive topic that the person did not tick for this app.",
	"binary-not-visible":      "A file is seen by way of its document, and no document of it may be seen.",
	"log-in-insufficient":     "The app's registration asks for a stronger or more recent log-in for this request than the grant rests on.",
	"nothing-to-judge":        "The question held neither a request nor a resource.",

	consent.ReasonNoGrant:       "None of the patient's consents covers this person, this use and this data.",
	consent.ReasonUnclassified:  "The resource carries no sensitivity label, and what is not classified is hidden from proxies.",
	consent.ReasonNoPat:         "It is marked as something that a clinician talks about with the patient first.",
	consent.ReasonSafetyHold:    "The record is held: somebody reported coercion or misuse, and nothing goes to proxies until that is settled.",
	consent.ReasonOtherPatient:  "The consents are those of another patient.",
	consent.ReasonPsychotherapy: "Psychotherapy notes are never released by an app, whatever was granted.",
	consent.ReasonPart2:         "It comes from a substance use programme, and the consent lacks an element that 42 CFR 2.31 asks for.",
}

// sentence says why a rule refused.
func sentence(rule, code, subject string) string {
	if id, stopped := strings.CutPrefix(code, consent.ReasonProhibited); stopped {
		return "The patient's Consent/" + id + " prohibits it."
	}
	text, known := sentences[code]
	switch {
	case !known:
		return fmt.Sprintf("The rule %q refused it (%s).", rule, code)
	case strings.Contains(text, "%s"):
		return fmt.Sprintf(text, subject)
	}
	return text
}

// say puts the judgement into words.
func (out *Explanation) say(j gateway.Judgement) {
	switch {
	case out.Decision == Permit && !j.Judged.IsZero():
		out.Sentence = "Allowed: every rule lets the request pass, and " + out.Resource + " itself."
	case out.Decision == Undecided:
		out.Sentence = "The request is allowed; whether " + out.Unjudged + " itself may be seen was not judged: " +
			"the FHIR server is not known here. Name the server's configuration, or ask where it runs."
	case out.Decision == Permit:
		out.Sentence = "Allowed: every rule lets the request pass."
	case out.Absent:
		out.Sentence = "Not found: the request is allowed, and there is no " + out.Resource + " that this grant could be shown."
	default:
		out.Sentence = "Refused: " + lower(sentence(out.Rule, out.Code, out.Subject))
	}
	out.detail("Refused but for a rule that is only audited: ", out.Would)
	byScope, byConsent := "By scope: ", "By consent: "
	if out.Decision == Deny {
		byScope = "Granted scopes that speak for it: "
	}
	if out.Decision == Deny && out.Rule != "consent" {
		byConsent = "Consents in force: "
	}
	out.detail(byScope, out.Scopes)
	out.detail("Granted scopes that do not reach it: ", out.Near)
	out.detail(byConsent, out.Consents)
	if r := out.Relationship; r != nil {
		state := "is in force"
		if !r.InForce {
			state = "is not in force"
		}
		out.Details = append(out.Details, fmt.Sprintf("%s acts for %s as %s; the relationship %s.", r.Reference, r.Patient, out.Capacity, state))
	}
	if out.Decision == Permit {
		out.detail("The search is narrowed to: ", out.Narrowed)
		if out.Filtered {
			out.Details = append(out.Details, "Each resource of the answer is decided again by itself, so that fewer may leave than were found.")
		}
	}
	if out.Decision == Deny && j.Resource.Hidden {
		out.Details = append(out.Details, "The app is told that there is no such resource.")
	}
}

func (out *Explanation) detail(label string, list []string) {
	if len(list) > 0 {
		out.Details = append(out.Details, label+strings.Join(list, ", ")+".")
	}
}

// lower begins a sentence in the middle of another.
func lower(text string) string {
	if strings.HasPrefix(text, "Mandate") || text == "" {
		return text
	}
	return strings.ToLower(text[:1]) + text[1:]
}
