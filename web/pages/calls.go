package pages

import (
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

// CallCode shows the digits by which somebody proves on the telephone who they are.
type CallCode struct {
	Frame
	Username, Code string
	// Next is when other digits come.
	Next time.Time
}

// Template names the page.
func (CallCode) Template() string { return "call-code" }

// Spaced is the code in two groups.
func (p CallCode) Spaced() string { return spaced(p.Code) }

// CallConsole asks staff for what a caller says. Posts: username, patient, code. It
// never shows what was typed.
type CallConsole struct {
	Frame
	// Refused: the last caller was not verified, for whatever reason.
	Refused bool
}

// Template names the page.
func (CallConsole) Template() string { return "call-console" }

// CallVerified says who is on the telephone and what they may hear.
type CallVerified struct {
	Frame
	Who, Patient, Gender string
	// Self: it is the patient.
	Self   bool
	Access []CallAccess
}

// CallAccess is what a caller may hear in one capacity.
type CallAccess struct {
	Relation         string
	Kinds, Sensitive []KindRef
	Everything       bool
	Until            time.Time
}

// Template names the page.
func (CallVerified) Template() string { return "call-verified" }

func (p CallVerified) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "call-verified.title", words.Args{"who": p.Who}
}
