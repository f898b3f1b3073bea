package pages

import (
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

// MatterLine is one thing to decide.
type MatterLine struct {
	// Kind is review, dispute or joint.
	Kind, Patient string
	// Function is what people who act together ask for, a portal-function code.
	Function string
	// Due is the last day; Late: it has passed.
	Due  time.Time
	Late bool
	URL  string
}

// Matters is what staff have to decide, the earliest due first.
type Matters struct {
	Frame
	Lines []MatterLine
}

// Template names the page.
func (Matters) Template() string { return "matters" }

// Matter is one of them. Posts: outcome, ground, version.
type Matter struct {
	Frame
	Line MatterLine
	Open bool
	// Mine: the reader denied or opened it, and cannot decide.
	Mine                         bool
	Opened, Decided              time.Time
	OpenedBy, DecidedBy, Outcome string
	// Ground is that of the denial in words, Grounds are those to choose from.
	Ground   string
	Grounds  []Option
	Outcomes []string
	// Chosen is the outcome that was chosen before, empty for none.
	Chosen string
	People []CaseLine
	// Agreed are those who agreed, of what people ask for together.
	Agreed  []CaseStep
	Version int
}

// Template names the page.
func (Matter) Template() string { return "matter" }

func (p Matter) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "matter.title." + p.Line.Kind, words.Args{"patient": p.Line.Patient}
}

// MatterOpen asks with whom somebody does not agree. Posts: other.
type MatterOpen struct {
	Frame
	Who, Patient string
	Others       []Option
}

// Template names the page.
func (MatterOpen) Template() string { return "matter-open" }

func (p MatterOpen) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "matter-open.title", words.Args{"who": p.Who}
}
