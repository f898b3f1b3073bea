package pages

import (
	"html/template"
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

// BedsideStart asks one of the staff whom they help, and how they know who it is.
// Posts: patient, how.
type BedsideStart struct {
	Frame
	Patient string
	Ways    []Option
}

// Template names the page.
func (BedsideStart) Template() string { return "bedside-start" }

// BedsideCase is what a witness sees of an enrolment. Posts: do=confirm with number, or
// do=cancel.
type BedsideCase struct {
	Frame
	Action, Name string
	// Step is code, taken, number, second (another witness is missing) or done.
	Step string
	// Code, Link and QR are for the patient's device; Ends is when it is over.
	Code, Link string
	QR         []byte
	Ends       time.Time
	// Second: it takes two witnesses.
	Second bool
	// Witnesses are the names of those who were there, Factor what was enrolled.
	Witnesses []string
	Factor    string
}

// Template names the page.
func (BedsideCase) Template() string { return "bedside-case" }

// Image is the QR code for a browser.
func (p BedsideCase) Image() template.URL { return png(p.QR) }

func (p BedsideCase) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "bedside-case.title." + p.Step, words.Args{"who": p.Name}
}

// BedsideCode asks on the patient's device for the code that staff show. Posts to
// Action: code, shared.
type BedsideCode struct {
	Frame
	Action, Code string
	Shared       bool
}

// Template names the page.
func (BedsideCode) Template() string { return "bedside-code" }

// BedsideSetup offers ways to sign in to the patient. Posts to Action: do=key with
// credential, do=password with password and again, or do=stop.
type BedsideSetup struct {
	Frame
	Action, Name, Witness string
	Passkey               Passkey
	// Password: a password may be chosen; Replaces: there is one, which ends then.
	Password, Replaces bool
	// Shared: others use this device too.
	Shared bool
}

// Template names the page.
func (BedsideSetup) Template() string { return "bedside-setup" }

func (p BedsideSetup) ceremony() bool { return p.Passkey.Options != "" }

func (p BedsideSetup) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "bedside-setup.title", words.Args{"who": p.Name}
}

// BedsideWait shows the number for each witness. Posts to Action: do=stop.
type BedsideWait struct {
	Frame
	Action  string
	Numbers []BedsideNumber
}

// Template names the page.
func (BedsideWait) Template() string { return "bedside-wait" }

// BedsideNumber is for one witness; Name is empty for one who has not come yet.
type BedsideNumber struct {
	Name, Number string
	Done         bool
}

// Spaced is the number in two groups.
func (n BedsideNumber) Spaced() string { return ApproveWait{Number: n.Number}.Spaced() }

// BedsideDone says that the patient can sign in. Posts to Action: do=codes, do=end.
type BedsideDone struct {
	Frame
	Action, Username string
	// Codes were just made; MayPrint: they can be made.
	Codes    []string
	MayPrint bool
	Key      bool
}

// Template names the page.
func (BedsideDone) Template() string { return "bedside-done" }
