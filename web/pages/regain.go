package pages

import (
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

// Regain asks whose account it is. Posts: do=who, username.
type Regain struct {
	Frame
	Action string
	// Username keeps what was typed.
	Username string
}

// Template names the page.
func (Regain) Template() string { return "regain" }

// RegainProve takes proofs. Posts: username, do, and what proves: contact with
// ticket, recovery, password, app or credential; do=send sends a code.
type RegainProve struct {
	Frame
	Action, Username string
	// Ticket comes back with the code that was sent; empty before.
	Ticket  string
	Passkey Passkey
	// More: one proof was given, another one is missing.
	More bool
	// Contact, Paper, Password, App: this kind is asked for.
	Contact, Paper, Password, App bool
}

// Template names the page.
func (RegainProve) Template() string { return "regain-prove" }

func (p RegainProve) ceremony() bool { return p.Passkey.Options != "" }

// RegainWait says what a recovery waits for.
type RegainWait struct {
	Frame
	// Ready is when the wait is over, zero for none.
	Ready time.Time
	// Reviews: people have to look at it still.
	Reviews bool
}

// Template names the page.
func (RegainWait) Template() string { return "regain-wait" }

// RegainFinish asks for the new password, unless it is kept elsewhere. Posts:
// password, again, and for App code, secret, proof.
type RegainFinish struct {
	Frame
	Action string
	// App is the authenticator app to be set up, nil for none.
	App *AddCodeApp
	// First: nobody has signed in to the account before.
	First bool
	// Elsewhere: the organization keeps the password, and none is asked for.
	Elsewhere bool
}

// Template names the page.
func (RegainFinish) Template() string { return "regain-finish" }

func (p RegainFinish) titleKey(*words.Catalogue, string) (string, words.Args) {
	switch {
	case p.Elsewhere:
		return "regain-finish.elsewhere", nil
	case p.First:
		return "regain-finish.title_first", nil
	}
	return "regain-finish.title", nil
}

// Enrol asks whether to set up a new account of staff. It knows nothing of it.
type Enrol struct {
	Frame
	Action string
}

// Template names the page.
func (Enrol) Template() string { return "enrol" }

// RegainStop asks whether to stop a recovery. It knows nothing of it.
type RegainStop struct {
	Frame
	Action string
}

// Template names the page.
func (RegainStop) Template() string { return "regain-stop" }

// RecoveryQueue lists the ways back into accounts that staff may look at.
type RecoveryQueue struct {
	Frame
	Lines []RecoveryLine
}

// Template names the page.
func (RecoveryQueue) Template() string { return "recovery-queue" }

// RecoveryLine is one of them.
type RecoveryLine struct {
	Name, Username, Role string
	HighRisk             bool
	Created              time.Time
	// Waits is proof, review or person.
	Waits string
	URL   string
}

// RecoveryCase shows what was proven.
type RecoveryCase struct {
	Frame
	Line            RecoveryLine
	Strange, Helped bool
	Ready           time.Time
	Proofs, Reviews []RecoveryProof
	Acts            []CaseAct
}

// Template names the page.
func (RecoveryCase) Template() string { return "recovery-case" }

// titleKey names the person.
func (p RecoveryCase) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "recovery-case.title", words.Args{"who": p.Line.Name}
}

// RecoveryProof is one proof or review.
type RecoveryProof struct {
	// Kind is a kind of proof or the reason of a review.
	Kind string
	At   time.Time
	// How and Documents are those of a check by staff.
	How       string
	Documents []string
}

// RecoveryAct asks one of the staff. Posts: answer, version and its fields.
type RecoveryAct struct {
	Frame
	// Act is check, approve or refuse.
	Act, Who string
	Fields   []ActField
	Version  int
}

// Template names the page.
func (RecoveryAct) Template() string { return "recovery-act" }

func (p RecoveryAct) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "recovery-act." + p.Act + ".title", words.Args{"who": p.Who}
}

// The message keys of these pages.
const (
	// ErrRegain: the proof was not right, or there is no such account.
	ErrRegain = "field.regain"
	// ErrRegainMany: too many tries or codes.
	ErrRegainMany = "field.regain_many"
	// ErrRecoveryCheck: how a person was checked is missing.
	ErrRecoveryCheck = "field.recovery_check"
)

// PasswordFault gives the message key for the cause code of a password that may not
// be chosen, "" for another code.
func PasswordFault(code string) string {
	return map[string]string{
		"password-too-short": ErrPasswordShort, "password-too-long": ErrPasswordLong, "password-not-text": ErrPasswordLong,
		"password-username": ErrPasswordName, "password-breached": ErrPasswordKnown,
	}[code]
}
