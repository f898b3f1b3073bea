package consent

import "github.com/mandate-health/mandate/fhir"

// Systems and codes that classify a Consent.
const (
	systemConsentScope   = "http://terminology.hl7.org/CodeSystem/consentscope"
	systemConsentAction  = "http://terminology.hl7.org/CodeSystem/consentaction"
	systemResourceTypes  = "http://hl7.org/fhir/resource-types"
	systemURI            = "urn:ietf:rfc:3986"
	systemObservationCat = "http://terminology.hl7.org/CodeSystem/observation-category"
	systemLOINC          = "http://loinc.org"

	functionSystemSuffix = "/CodeSystem/portal-function"
)

// Ranks of v3-Confidentiality (LB-18); the code system is flat, so the order
// lives here. 0 means "no rank".
const (
	rankN = 4
	rankR = 5
)

func confidentialityRank(code string) int {
	switch code {
	case "U":
		return 1
	case "L":
		return 2
	case "M":
		return 3
	case "N":
		return rankN
	case "R":
		return rankR
	case "V":
		return 6
	}
	return 0
}

// canonicalCode folds ETH into SUD: profiles use them for the same thing,
// while the hierarchy keeps opioid and alcohol use under SUD only (LB-03).
func canonicalCode(c fhir.Coding) fhir.Coding {
	if c.System == fhir.SystemActCode && c.Code == "ETH" {
		c.Code = "SUD"
	}
	return c
}

// KnownLabel reports whether a v3-ActCode is a label whose meaning the decision knows.
func KnownLabel(code string) bool {
	_, ok := actCodeParents[code]
	return ok
}

// isA reports whether code equals ancestor or lies below it.
func isA(parents map[string][]string, code, ancestor string) bool {
	if code == ancestor {
		return true
	}
	for _, up := range parents[code] {
		if isA(parents, up, ancestor) {
			return true
		}
	}
	return false
}

// subsumes reports whether the listed label means the resource's label too.
// Both are canonical.
func subsumes(listed, label fhir.Coding) bool {
	if listed == label {
		return true
	}
	return listed.System == fhir.SystemActCode && label.System == fhir.SystemActCode &&
		isA(actCodeParents, label.Code, listed.Code)
}

// purposeWithin reports whether the purpose of a question falls under a
// listed purpose: a permit on PATRQT opens FAMRQT, PWATRNY and SUPNWK (CN-21).
func purposeWithin(purpose string, listed fhir.Coding) bool {
	return listed.System == fhir.SystemActReason && isA(actReasonParents, purpose, listed.Code)
}

// gated reports whether a label opens only to a permit that lists it, or a
// gated ancestor of it, by name (EV-07).
func gated(c fhir.Coding) bool {
	if c.System != fhir.SystemActCode {
		return false
	}
	switch c.Code {
	case "42CFRPart2", "SUD", "ETHUD", "OPIOIDUD", "PSYTHPN", "HIPAAPsyNotes":
		return true
	}
	return false
}

// kept reports whether a label keeps data from proxies until a permit lists
// exactly that label: the patient's own lock, a clinician's, and care a minor
// consented to (FX-22, LB-11, LB-12, LB-13).
func kept(code string) bool {
	switch code {
	case "PRS", "PHY", "TBOO", "ADOL":
		return true
	}
	return false
}

// rides reports whether a label only binds the receiver or describes the
// record, so that it needs no cover of its own.
func rides(c fhir.Coding) bool {
	switch c.System {
	case fhir.SystemActCode:
		switch c.Code {
		case "NORDSCLCD", "NORDSCLCDS", "NODSCLCD", "NODSCLCDS", "NORDSCLW",
			"NOREUSE", "NORELINK", "NOPERSISTP", "NOINTEGRATE", "NOLIST", "NOCOLLECT",
			"PROCESSINLINELABEL":
			return true
		}
	case fhir.SystemActReason:
		return c.Code == "HTEST"
	}
	return false
}
