package pcf

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// The profiles, each allowing what those before it allow.
const (
	Basic        = "IHE.PCF.consentBasic"
	Intermediate = "IHE.PCF.consentIntermediate"
	Advanced     = "IHE.PCF.consentAdvanced"

	canonical = "https://profiles.ihe.net/ITI/PCF/StructureDefinition/"
)

// Finding is one place at which a Consent does not meet its profile.
type Finding struct {
	// Path is the FHIR path of the element.
	Path string `json:"path"`
	// Text says what the profile asks there.
	Text string `json:"text"`
}

func (f Finding) String() string { return f.Path + ": " + f.Text }

type object = map[string]any

// Lint checks a Consent by the profile named, or by the highest one that it claims
// in meta.profile when none is named. Findings are ordered as found; none means
// that it meets the profile. Errors: errs.Invalid for what is no JSON object of
// type Consent, and for an unknown profile.
func Lint(raw []byte, profile string) (checked string, found []Finding, err error) {
	var c object
	if err := json.Unmarshal(raw, &c); err != nil || c["resourceType"] != "Consent" {
		return "", nil, errs.New(errs.Invalid, "pcf-not-a-consent", "The file is not a FHIR Consent in JSON.")
	}
	if profile == "" {
		profile = claimed(c)
	}
	switch profile {
	case Basic, Intermediate, Advanced:
	case "":
		return "", []Finding{{"Consent.meta.profile", "claims no profile of IHE PCF"}}, nil
	default:
		return "", nil, errs.New(errs.Invalid, "pcf-profile", "The profile is none of "+Basic+", "+Intermediate+" and "+Advanced+".")
	}
	l := &linter{profile: profile}
	l.consent(c)
	return profile, l.found, nil
}

// claimed gives the highest profile in meta.profile.
func claimed(c object) string {
	meta, _ := c["meta"].(object)
	list, _ := meta["profile"].([]any)
	best := ""
	for _, p := range list {
		url, _ := p.(string)
		url, _, _ = strings.Cut(url, "|")
		switch name, ours := strings.CutPrefix(url, canonical); {
		case !ours:
		case name == Advanced, name == Intermediate && best != Advanced, name == Basic && best == "":
			best = name
		}
	}
	return best
}

type linter struct {
	profile string
	found   []Finding
}

func (l *linter) say(path, text string, args ...any) {
	l.found = append(l.found, Finding{path, fmt.Sprintf(text, args...)})
}

// consent checks the elements above the provision.
func (l *linter) consent(c object) {
	for _, name := range []string{"status", "scope", "patient", "dateTime", "provision"} {
		if c[name] == nil {
			l.say("Consent."+name, "is required")
		}
	}
	for _, name := range []string{"category", "performer", "organization", "policy"} {
		if many(c[name]) == 0 {
			l.say("Consent."+name, "needs one at least")
		}
	}
	if c["scope"] != nil && !coded(c["scope"], "http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy") {
		l.say("Consent.scope", "must be patient-privacy")
	}
	if many(c["identifier"]) > 1 {
		l.say("Consent.identifier", "at most one is allowed")
	}
	attachment, reference := c["sourceAttachment"] != nil, c["sourceReference"] != nil
	if attachment == reference {
		l.say("Consent.source[x]", "exactly one is required")
	}
	for i, p := range objects(c["policy"]) {
		if text, _ := p["uri"].(string); text == "" {
			l.say(fmt.Sprintf("Consent.policy[%d].uri", i), "is required")
		}
		if p["authority"] != nil {
			l.say(fmt.Sprintf("Consent.policy[%d].authority", i), "is not allowed")
		}
	}
	if c["verification"] != nil {
		l.say("Consent.verification", "is not allowed")
	}
	if root, ok := c["provision"].(object); ok {
		l.provision(root, "Consent.provision", 1)
	}
}

// provision checks one rule; the prose of PCF bars class, code and action at every
// level (CN-19, CN-22, CN-23).
func (l *linter) provision(p object, path string, depth int) {
	if typ, _ := p["type"].(string); typ != "permit" && typ != "deny" {
		l.say(path+".type", "is required: permit or deny")
	}
	for _, name := range []string{"action", "class", "code"} {
		if p[name] != nil {
			l.say(path+"."+name, "is not allowed")
		}
	}
	for i, a := range objects(p["actor"]) {
		if !coded(a["role"], fhir.SystemParticipationType, "IRCP") {
			l.say(fmt.Sprintf("%s.actor[%d].role", path, i), "must be IRCP, information recipient")
		}
	}
	if l.profile != Advanced && p["securityLabel"] != nil {
		l.say(path+".securityLabel", "is allowed by %s only", Advanced)
	}
	if l.profile == Basic {
		for _, name := range []string{"data", "dataPeriod", "provision"} {
			if p[name] != nil {
				l.say(path+"."+name, "is not allowed by %s", Basic)
			}
		}
	}
	l.data(p, path)
	for i, n := range objects(p["provision"]) {
		at := fmt.Sprintf("%s.provision[%d]", path, i)
		if depth > 1 {
			l.say(at, "one level of exceptions is allowed")
			continue
		}
		l.provision(n, at, depth+1)
	}
}

// data checks provision.data: its slices by meaning are closed.
func (l *linter) data(p object, path string) {
	for i, d := range objects(p["data"]) {
		at := fmt.Sprintf("%s.data[%d]", path, i)
		ref, _ := d["reference"].(object)
		literal, _ := ref["reference"].(string)
		var types []string
		switch d["meaning"] {
		case "instance":
			continue
		case "related":
			types = []string{"Encounter", "CarePlan", "EpisodeOfCare"}
		case "authoredby":
			types = []string{"Practitioner", "PractitionerRole", "Organization", "Device", "Group", "CareTeam", "Patient", "RelatedPerson"}
		default:
			l.say(at+".meaning", "must be instance, related or authoredby")
			continue
		}
		if !slices.Contains(types, typeOf(literal)) {
			l.say(at+".reference", "must name one of %s", strings.Join(types, ", "))
		}
	}
}

// typeOf gives the type of a literal reference, relative or absolute.
func typeOf(literal string) string {
	literal, _, _ = strings.Cut(literal, "/_history/")
	parts := strings.Split(literal, "/")
	if len(parts) < 2 {
		return ""
	}
	return parts[len(parts)-2]
}

func many(v any) int {
	list, _ := v.([]any)
	return len(list)
}

func objects(v any) (out []object) {
	list, _ := v.([]any)
	for _, e := range list {
		m, _ := e.(object)
		out = append(out, m)
	}
	return out
}

// coded reports whether a CodeableConcept has the coding.
func coded(v any, system, code string) bool {
	concept, _ := v.(object)
	return slices.ContainsFunc(objects(concept["coding"]), func(c object) bool {
		return c["system"] == system && c["code"] == code
	})
}
