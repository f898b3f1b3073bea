package pages

import (
	"encoding/base64"
	"html/template"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

// FieldCredential is the name of the hidden form field in which a passkey's
// answer is posted.
const FieldCredential = "credential"

// Passkey is a form that asks the browser for a passkey. It shows only where
// there is a script and a browser that has passkeys. Posts: credential, next.
type Passkey struct {
	// Action is the POST target.
	Action string
	// Options are those of navigator.credentials.get or create, as JSON; empty
	// leaves the form out.
	Options string
	// Next is an opaque value posted back.
	Next string
	// Bound: only a passkey that stays on its device will do.
	Bound bool
}

// Factors lists how a person signs in: “My devices and sign-in”.
type Factors struct {
	Frame
	Entries []FactorEntry
	// AddURL leads to a new passkey; empty where browsers offer none. AppURL leads
	// to a new code app, CodesURL to recovery codes.
	AddURL, AppURL, CodesURL string
	// EmailURL and SMSURL lead to codes that are sent as a backup; empty where the
	// server sends none or the person has them.
	EmailURL, SMSURL string
	// LinkURL leads to the accounts of other providers; empty where there are none to
	// link.
	LinkURL string
	// Need is what somebody lacks who was sent here, empty for nothing.
	Need string
}

// What people may lack: a second factor, or a passkey that stays on its device.
const (
	NeedSecond = "second"
	NeedBound  = "bound"
)

// LinkElsewhere offers to link accounts of other identity providers.
type LinkElsewhere struct {
	Frame
	Elsewhere []Elsewhere
}

// Template names the page.
func (LinkElsewhere) Template() string { return "link-elsewhere" }

// FactorEntry is one authenticator.
type FactorEntry struct {
	// Kind is password, totp, passkey, recovery, upstream, email or sms; Name is what the person calls it.
	Kind, Name string
	// Created and Used are UTC; zero Used: never or not kept.
	Created, Used time.Time
	// Synced: the key may be copied to other devices; BackedUp: it was.
	Synced, BackedUp bool
	// Locked: it may not be used any more.
	Locked bool
	// Left is how many recovery codes there still are.
	Left int
	// Ending is the last digits of a telephone number, From when codes begin to go
	// there; zero: they do.
	Ending string
	From   time.Time
	// Backup: a restricted way of last resort.
	Backup bool
	// URL is its own page; empty when there is nothing to do.
	URL string
}

// Template names the page.
func (Factors) Template() string { return "factors" }

// AddPasskey makes a passkey. Posts: name, credential.
type AddPasskey struct {
	Frame
	Passkey
	// Name keeps what was typed.
	Name string
}

// Template names the page.
func (AddPasskey) Template() string { return "add-passkey" }

func (p AddPasskey) ceremony() bool { return p.Options != "" }

// AddCodeApp sets an authenticator app up. Posts: name, code, secret, proof.
type AddCodeApp struct {
	Frame
	Action string
	// Secret is what is typed into the app, Proof comes back with it; QR is the
	// same as a PNG.
	Secret, Proof string
	QR            []byte
	// Name keeps what was typed.
	Name string
}

// Template names the page.
func (AddCodeApp) Template() string { return "add-app" }

// Image is the QR code for a browser.
func (p AddCodeApp) Image() template.URL { return png(p.QR) }

// Spaced is the secret in groups of four.
func (p AddCodeApp) Spaced() string { return spaced(p.Secret) }

func png(picture []byte) template.URL {
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(picture)) //nolint:gosec // made of our own picture
}

func spaced(secret string) string {
	var b strings.Builder
	for i, c := range secret {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// RecoveryCodes asks whether codes shall be made, and shows them once.
type RecoveryCodes struct {
	Frame
	Action string
	// Left is how many there are now.
	Left int
	// Codes are the new ones; empty before they are made.
	Codes []string
}

// Template names the page.
func (RecoveryCodes) Template() string { return "recovery-codes" }

// OneFactor shows one authenticator. Posts to Action: name.
type OneFactor struct {
	Frame
	Entry FactorEntry
	// Action is the POST target of the new name.
	Action string
	// RemoveURL leads to the page that asks whether it shall go; empty when it
	// must stay.
	RemoveURL string
}

// Template names the page.
func (OneFactor) Template() string { return "factor" }

// RemoveFactor asks whether an authenticator shall go. Posts: answer=remove or
// answer=keep.
type RemoveFactor struct {
	Frame
	Entry  FactorEntry
	Action string
}

// Template names the page.
func (RemoveFactor) Template() string { return "remove-factor" }

// The message keys of these pages.
const (
	// ErrPasskey: the passkey was not accepted.
	ErrPasskey = "field.passkey"
	// ErrPasskeySynced: staff and people at particular risk need another one.
	ErrPasskeySynced = "field.passkey_synced"
	// ErrPasskeyModel: the organisation takes no keys of this model.
	ErrPasskeyModel = "field.passkey_model"
	// ErrPasskeyUnattested: the maker of the key does not vouch for it.
	ErrPasskeyUnattested = "field.passkey_unattested"
	// ErrPasskeyKnown: this device has a passkey already.
	ErrPasskeyKnown = "field.passkey_known"
	// ErrFactorName: the name is too long.
	ErrFactorName = "field.factor_name"
	// ErrFactorLast: the last second factor must stay.
	ErrFactorLast = "field.factor_last"
	// NoticeFactorAdded, NoticeFactorRemoved: an authenticator came or went.
	NoticeFactorAdded   = "notice.factor_added"
	NoticeFactorRemoved = "notice.factor_removed"
)

// PasskeyUnfit gives the message of a passkey that was good and that the person may
// not use, "" for another cause code.
func PasskeyUnfit(code string) string {
	return map[string]string{
		"passkey-synced": ErrPasskeySynced, "passkey-model": ErrPasskeyModel, "passkey-unattested": ErrPasskeyUnattested,
	}[code]
}

// ceremonial is a page that may ask the browser for a passkey.
type ceremonial interface{ ceremony() bool }

func asksPasskey(p Page) bool {
	c, ok := p.(ceremonial)
	return ok && c.ceremony()
}

func (p SignIn) ceremony() bool       { return p.Passkey.Options != "" }
func (p StaffSignIn) ceremony() bool  { return p.Passkey.Options != "" }
func (p SecondFactor) ceremony() bool { return p.Passkey.Options != "" }

// titleKey says what the page asks for.
func (p SecondFactor) titleKey(*words.Catalogue, string) (string, words.Args) {
	if p.NoCode {
		return "second-factor.title_passkey", nil
	}
	return "second-factor.title", nil
}

// ChangePassword asks for another password. Posts: password, again.
type ChangePassword struct {
	Frame
	Action string
}

// Template names the page.
func (ChangePassword) Template() string { return "change-password" }

// The message keys of a password that may not be chosen.
const (
	ErrPasswordShort = "field.password_short"
	ErrPasswordLong  = "field.password_long"
	ErrPasswordName  = "field.password_name"
	ErrPasswordKnown = "field.password_known"
	ErrPasswordAgain = "field.password_again"
)
