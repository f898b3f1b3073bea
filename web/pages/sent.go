package pages

import "github.com/mandate-health/mandate/internal/words"

// SentCode asks for a code that was sent by e-mail or SMS. Posts to Action: code, next;
// to AgainAction: way, next.
type SentCode struct {
	Frame
	Action, AgainAction string
	// Way is email or sms.
	Way string
	// Next is an opaque value posted back; OtherURL leads to the other ways to go on.
	Next, OtherURL string
}

// Template names the page.
func (SentCode) Template() string { return "sent-code" }

// RestrictedCodes tells what is risky about codes by e-mail or SMS and what is better,
// and asks whether they shall be a backup. Posts: accept, number.
type RestrictedCodes struct {
	Frame
	// Action is the POST target; empty where such codes are not for the reader.
	Action string
	// Way is email or sms.
	Way string
	// Why is why they are not for the reader: a key below "restricted.why.", empty
	// where they are.
	Why string
	// Number keeps what was typed, Accepted what was ticked.
	Number   string
	Accepted bool
	// FixURL leads to what is needed first; empty leaves it out.
	FixURL string
}

// Template names the page.
func (RestrictedCodes) Template() string { return "restricted-codes" }

func (p RestrictedCodes) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "restricted-codes.title_" + p.Way, nil
}

// NumberCode asks for the code that was sent to a new number. Posts: code.
type NumberCode struct {
	Frame
	Action string
}

// Template names the page.
func (NumberCode) Template() string { return "number-code" }

// The message keys of these pages.
const (
	// ErrSentCode: the code that was sent is wrong, used or too old.
	ErrSentCode = "field.sent_code"
	// ErrUnsendable: no code can be sent in this way.
	ErrUnsendable = "field.unsendable"
	// ErrNumberUnfit: this is no telephone number.
	ErrNumberUnfit = "field.number_unfit"
	// ErrAccept: the risk was not accepted.
	ErrAccept = "field.accept"
)

// The reasons why codes are not for somebody.
const (
	WhyOff     = "off"
	WhyRole    = "role"
	WhyFirst   = "first"
	WhyAddress = "address"
	WhyHave    = "have"
)
