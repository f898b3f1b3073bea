package access

import (
	"cmp"
	"slices"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
)

// Topic is a group of sensitive data that people are asked about together.
type Topic string

// The topics (LB-02…LB-12). Restricted is data labelled above normal without
// a topic that is named here.
const (
	TopicSubstanceUse Topic = "SUD"
	TopicMentalHealth Topic = "MH"
	TopicHIV          Topic = "HIV"
	TopicSexual       Topic = "SEX"
	TopicViolence     Topic = "SDV"
	TopicGenetics     Topic = "GDIS"
	TopicRestricted   Topic = "R"
)

// Topics lists all topics in the order in which pages show them.
func Topics() []Topic {
	return []Topic{TopicMentalHealth, TopicSubstanceUse, TopicHIV, TopicSexual, TopicViolence, TopicGenetics, TopicRestricted}
}

// topicOfCode maps v3-ActCode labels to their topic.
var topicOfCode = map[string]Topic{
	"SUD": TopicSubstanceUse, "ETH": TopicSubstanceUse, "ETHUD": TopicSubstanceUse,
	"OPIOIDUD": TopicSubstanceUse, "42CFRPart2": TopicSubstanceUse,
	"MH": TopicMentalHealth, "PSY": TopicMentalHealth, "BH": TopicMentalHealth, "COGN": TopicMentalHealth,
	"DVD": TopicMentalHealth, "EMOTDIS": TopicMentalHealth, "SPI": TopicMentalHealth,
	"HIV": TopicHIV,
	"SEX": TopicSexual, "STD": TopicSexual, "PREGNANT": TopicSexual,
	"SDV": TopicViolence, "VIO": TopicViolence,
	"GDIS": TopicGenetics, "SCA": TopicGenetics,
}

// handlingCodes are v3-ActCode labels that say how to treat a resource, not
// what it is about; they make nothing sensitive by themselves.
var handlingCodes = []string{"NORDSCLCD", "NORDSCLCDS", "NORDSCLW", "NOREUSE", "NOPERSISTP"}

// TopicsOf gives the topics of a resource; none means ordinary data. A
// resource is ordinary only when no label says otherwise: an unknown label
// makes it restricted.
func TopicsOf(labels []fhir.Coding) []Topic {
	var out []Topic
	add := func(t Topic) {
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	restricted := false
	for _, l := range labels {
		switch l.System {
		case fhir.SystemConfidentiality:
			switch l.Code {
			case "U", "L", "M", "N":
			default:
				restricted = true
			}
		case fhir.SystemActCode:
			if t, ok := topicOfCode[l.Code]; ok {
				add(t)
			} else if !slices.Contains(handlingCodes, l.Code) {
				restricted = true
			}
		}
	}
	if restricted && len(out) == 0 {
		add(TopicRestricted)
	}
	return out
}

// TopicsOfResource gives the topics about which a patient is asked before an
// app sees the resource, those of what it contains included. A Consent is
// labelled restricted to keep it from those it speaks of; its own patient is
// asked about the type by name, and about topics it carries besides.
func TopicsOfResource(res *fhir.Resource) []Topic {
	topics := TopicsOf(LabelsOf(res))
	if res.Type == "Consent" {
		topics = slices.DeleteFunc(topics, func(t Topic) bool { return t == TopicRestricted })
	}
	return topics
}

// judgeLaw keeps what no portal grant may open: data that a clinician must
// talk about first, and psychotherapy notes (EV-11, FX-20, FX-21). Substance
// use records of a Part 2 programme leave only with the patient, or with a
// consent that names the recipient, which the consent rule judges.
func judgeLaw(in *Input, _ *Decision) verdict {
	kind := in.Grant.Capacity.Kind
	for _, l := range in.Resource.Labels {
		if l.System != fhir.SystemActCode {
			continue
		}
		switch l.Code {
		case "PSYTHPN", "HIPAAPsyNotes":
			return hide("psychotherapy-notes", l.Code)
		case "NOPAT":
			if kind != fhir.CapacityPractitioner {
				return hide("NOPAT", l.Code)
			}
		case "42CFRPart2":
			if kind == fhir.CapacityPractitioner || kind == fhir.CapacitySystem || kind == fhir.CapacityStaff {
				return hide("part-2", l.Code)
			}
		}
	}
	return pass
}

// judgeSensitivity hides from an app the sensitive topics that the patient
// did not tick. Every topic of the resource must be ticked (LB-17: labels are
// stripped before release).
func judgeSensitivity(in *Input, d *Decision) verdict {
	d.Obligations = append(d.Obligations, StripLabels)
	if in.Grant.Capacity.Kind != fhir.CapacitySelf {
		return pass
	}
	for _, t := range TopicsOfResource(in.Resource) {
		if !slices.Contains(in.Grant.Topics, string(t)) {
			return hide("topic-not-shared", string(t))
		}
	}
	return pass
}

// judgeConsent asks the patient's consents about a proxy: closed world, every
// label covered (A.9).
func judgeConsent(in *Input, d *Decision) verdict {
	c := in.Grant.Capacity
	if !c.IsProxy() || in.isOwnIdentity(fhir.Reference{Type: in.Resource.Type, ID: in.Resource.ID}) {
		return pass
	}
	res := consent.Evaluate(in.Policy, consent.Question{
		Patient:    c.Patient,
		Capacity:   c.Kind,
		Actors:     []fhir.Reference{c.Acting},
		Purpose:    c.Purpose,
		Function:   cmp.Or(in.Function, functionFor(in.Resource.Type, in.Op)),
		At:         in.Now,
		SafetyHold: in.SafetyHold,
		Resource:   *in.Resource,
	})
	if in.Op&(scope.Create|scope.Update) != 0 {
		d.Obligations = append(d.Obligations, ForceAuthor)
	}
	if !res.Permit {
		return hide(res.Reason, "")
	}
	if slices.Contains(res.Obligations, consent.ObligationPart2Notice) {
		d.Obligations = append(d.Obligations, Part2Notice)
	}
	d.Consents = append(d.Consents, res.Consents...)
	d.ValidUntil = sooner(res.ValidUntil, in.ProxyEnds)
	d.Reasons = append(d.Reasons, Reason{Rule: "consent", Code: "permit", Subject: res.Reason})
	return pass
}

// functionFor gives the portal function that an operation on a type belongs
// to: reading is viewing, and each kind of writing has its own (SC-24, GW-22).
// Writes of other types belong to a function that no consent grants.
func functionFor(typ string, op scope.Ops) string {
	if op&(scope.Read|scope.Search) != 0 {
		return "view"
	}
	switch typ {
	case "Communication":
		return "message"
	case "Appointment", "AppointmentResponse":
		return "schedule"
	case "QuestionnaireResponse":
		return "sign-forms"
	case "DocumentReference":
		return "upload"
	}
	return "none"
}
