package proof

import "slices"

// ranks orders v3-Confidentiality (LB-18).
var ranks = map[string]int{"U": 1, "L": 2, "M": 3, "N": 4, "R": 5, "V": 6}

// topics gives the topic of each sensitive label that the generator uses, by
// which a patient is asked (LB-02…LB-10).
var topics = map[string]string{
	"42CFRPart2": "SUD", "SUD": "SUD", "ETH": "SUD", "OPIOIDUD": "SUD",
	"PSY": "MH", "HIV": "HIV", "STD": "SEX", "SDV": "SDV", "GDIS": "GDIS",
}

// refrains bind the receiver and need no cover (LB-02).
var refrains = []string{"NORDSCLCD"}

// topicsOf gives the topics about which a patient is asked. What is labelled
// above normal, or with a label of unknown meaning, and belongs to no topic, is
// a topic of its own.
func topicsOf(all []coding) []string {
	var out []string
	restricted := false
	for _, l := range all {
		switch {
		case l.system == systemConfidentiality:
			restricted = restricted || ranks[l.code] == 0 || ranks[l.code] > ranks["N"]
		case l.system == systemActCode && topics[l.code] != "":
			out = append(out, topics[l.code])
		case l.system == systemActCode && !slices.Contains(refrains, l.code):
			restricted = true
		}
	}
	if len(out) == 0 && restricted {
		return []string{"R"}
	}
	return out
}

func has(all []coding, code ...string) bool {
	return slices.ContainsFunc(all, func(l coding) bool { return l.system == systemActCode && slices.Contains(code, l.code) })
}

// subject is a label without its synonyms: ETH says what SUD says (LB-03).
func subject(code string) string {
	if code == "ETH" {
		return "SUD"
	}
	return code
}

// below reports whether a label means the listed one, or a narrower one
// (EV-07, LB-03). Of the labels that the generator uses only opioid use is
// below another.
func below(code, listed string) bool {
	code, listed = subject(code), subject(listed)
	return code == listed || code == "OPIOIDUD" && listed == "SUD"
}

// gatedLabels open only when listed by name (EV-07); lockedLabels are a
// patient's or a clinician's own lock, which only the same label opens (LB-12).
var (
	gatedLabels  = []string{"42CFRPart2", "SUD", "ETH", "OPIOIDUD", "PSYTHPN"}
	lockedLabels = []string{"PRS"}
)

// rank gives the confidentiality of data: the highest label, restricted where
// only topics are given (LB-02…LB-10). ok is false for data that nobody
// classified (LB-01).
func rank(all []coding) (r int, ok bool) {
	topic := false
	for _, l := range all {
		if l.system == systemConfidentiality {
			r = max(r, ranks[l.code])
		}
		topic = topic || l.system == systemActCode && (topics[l.code] != "" || slices.Contains(gatedLabels, l.code) || slices.Contains(lockedLabels, l.code))
	}
	if r == 0 {
		return ranks["R"], topic
	}
	return r, true
}

// sensitive gives the labels of data that a permit must cover.
func sensitive(all []coding) []string {
	var out []string
	for _, l := range all {
		if l.system == systemActCode && !slices.Contains(refrains, l.code) {
			out = append(out, l.code)
		}
	}
	return out
}
