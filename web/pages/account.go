package pages

import (
	"net/http"
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

// The addresses of the pages around a person's own account, below Deps.Base.
const (
	AccountPath       = "/account"
	DisplayPath       = "/display"
	AccessibilityPath = "/accessibility"
)

// LookCookie keeps how pages are to look on this device. It holds no secret.
const LookCookie = "mandate_look"

// The looks beside the common one; both may be chosen.
const (
	LookLarge = "large"
	LookCalm  = "calm"
)

// looks are the values of LookCookie by what pages are told. A cookie holds no
// space.
func looks() map[string]string {
	return map[string]string{LookLarge: LookLarge, LookCalm: LookCalm, LookLarge + "-" + LookCalm: LookLarge + " " + LookCalm}
}

// Look gives how pages are to look in the browser of a request: "", or looks apart
// by a space.
func Look(r *http.Request) string {
	c, err := r.Cookie(LookCookie)
	if err != nil {
		return ""
	}
	return looks()[c.Value]
}

// LookValue gives the value of LookCookie for a look, "" for the common one and for
// what is not offered.
func LookValue(look string) string {
	for value, l := range looks() {
		if l == look {
			return value
		}
	}
	return ""
}

// Account is a person's own page: how they sign in, where, how they are reached,
// and how pages look.
type Account struct {
	Frame
	Name, Username string
	// Factors counts what the person signs in with, Devices where they are signed in.
	Factors, Devices int
	// Addresses are the links of the page's own places; empty ones are left out.
	ActivityURL, AddressesURL, TravelURL string
	// Travels is until when the person travels, zero for not at all.
	Travels time.Time
}

// Template names the page.
func (Account) Template() string { return "account" }

// AccountActivity tells what happened to an account, and what is looked at.
type AccountActivity struct {
	Frame
	Entries []AccountEvent
	// OlderURL leads to what came before, "" for nothing.
	OlderURL string
	Signals  []Signal
}

// AccountEvent is one line of AccountActivity.
type AccountEvent struct {
	At time.Time
	// What completes the word key "did.<What>".
	What string
	// Refused says that it did not succeed.
	Refused bool
	// Reasons complete the word keys "signal.<Reason>".
	Reasons []string
}

// Signal is something that may be looked at in a log-in; Name completes the word key
// "signal.<Name>", and Inactive the key "signal.inactive.<Inactive>", empty while it
// is looked at.
type Signal struct{ Name, Inactive string }

// Template names the page.
func (AccountActivity) Template() string { return "account-activity" }

// Travel asks until when somebody travels. Posts: until, or stop.
type Travel struct {
	Frame
	Action  string
	Until   string
	Travels time.Time
}

// Template names the page.
func (Travel) Template() string { return "travel" }

// ErrTravel is a day of the past, or too far ahead.
const ErrTravel = "field.travel"

// Display asks for the language and the look of pages. Posts: language, look (any of
// the looks), next.
type Display struct {
	Frame
	Action, Next string
	// Language and Looks are what is chosen now.
	Language string
	Looks    []string
}

// Template names the page.
func (Display) Template() string { return "display" }

// Has reports whether a look is chosen.
func (p Display) Has(look string) bool { return slices.Contains(p.Looks, look) }

// Languages gives the languages to choose from.
func (Display) Languages() []words.Language { return words.Languages() }

// Accessibility is the statement of what was done so that everybody can use the
// pages.
type Accessibility struct{ Frame }

// Template names the page.
func (Accessibility) Template() string { return "accessibility" }

// Addresses are where a person is written to. Posts: address, to have a code sent;
// code, to show that it came; remove, with the ID of one.
type Addresses struct {
	Frame
	Action string
	// Current is written to now, "" for that of the record; Unchecked waits for its code.
	Current, Unchecked, Typed string
	Checked                   []ContactAddress
}

// ContactAddress is one checked address. Waiting ones are written to from From on.
type ContactAddress struct {
	ID, Address   string
	From          time.Time
	Waiting, Used bool
}

// Template names the page.
func (Addresses) Template() string { return "addresses" }

// ErrAddresses says that no more codes are sent today.
const ErrAddresses = "field.addresses"

// ErrEmail says that what was typed is no e-mail address.
const ErrEmail = "field.email"
