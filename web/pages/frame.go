package pages

import (
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

// FieldCSRF is the name of the hidden form field that carries Frame.CSRF in
// every POST form.
const FieldCSRF = "csrf"

// Page is a view model: a pointer or a value of a struct of this package that
// embeds Frame.
type Page interface {
	// Template names the body template and the message keys "<name>.title".
	Template() string
	// Head gives the parts that all pages share.
	Head() Frame
}

// Frame is what every page has in common. The zero Frame is a valid one for a
// page that is not signed in.
type Frame struct {
	// Lang is the code of one of words.Languages; empty means Kit.Lang of the request.
	Lang string
	// Title replaces the page's own title; for pages.Message only.
	Title string
	// SignedInAs is the person's name; empty means nobody is signed in.
	SignedInAs string
	// ActingFor shows the banner "You are acting for …".
	ActingFor *Acting
	// SwitchURL leads to the choice of whom to act for; the kit fills it in.
	SwitchURL string
	// Standing: the page says itself as whom its reader acts, if for anybody.
	Standing bool
	// Staff chooses the menu of the console instead of the patient's.
	Staff bool
	// CSRF is the form token of web/session, put into every POST form.
	CSRF string
	// BackURL is the way back; empty leaves the link out.
	BackURL string
	// AppRedirect is the app's registered redirect URI. Its origin is added to
	// the CSP form-action, which Chromium enforces along redirects (D9).
	AppRedirect string
	// Errors are shown in a summary on top, each linking to its field.
	Errors []FieldError
	// Notice is said once on top of the page in role=status.
	Notice *Notice
	// SessionEnds is when the session ends if nothing is done (UTC); zero shows
	// no warning. Needs StayURL.
	SessionEnds time.Time
	// StayURL answers 204 to a GET and so extends the session.
	StayURL string
	// Now is the time of rendering, from the caller's clock; needed only with
	// SessionEnds.
	Now time.Time
}

// StayPath answers 204 to a signed-in GET and so moves the session's end: the
// StayURL of pages that warn before the end.
const StayPath = "/signin/stay"

// Head gives the frame itself, so that a struct which embeds Frame is half a
// Page.
func (f Frame) Head() Frame { return f }

// Acting is the person on whose behalf the signed-in person acts.
type Acting struct {
	// Name of the patient.
	Name string
	// Relation is the relationship code of the signed-in person to the patient
	// (v3-RoleCode such as DAUC).
	Relation string
	// Gender is the patient's FHIR gender; it chooses "his" or "her". Optional.
	Gender string
	// SwitchURL leads to the choice of another record.
	SwitchURL string
	// Over: the access has ended or rests, and the reader has not turned back yet.
	Over bool
}

// FieldError ties one message to one form field.
type FieldError struct {
	// Field is the field's name; empty for the whole form.
	Field string
	// Key is a message key such as ErrSignIn.
	Key string
	// Args fill the message's placeholders.
	Args words.Args
}

// The message keys for FieldError.
const (
	// ErrSignIn: user name or password wrong, or no such account.
	ErrSignIn = "field.signin"
	// ErrCode: the one-time code is wrong or used.
	ErrCode = "field.code"
	// ErrRequired: nothing was entered.
	ErrRequired = "field.required"
	// ErrTooMany: too many tries; wait. Args: count, of minutes.
	ErrTooMany = "field.too_many"
	// ErrPause: a short pause after a wrong try. Args: seconds.
	ErrPause = "field.pause"
	// ErrStopped: no more tries from strange devices.
	ErrStopped = "field.stopped"
	// ErrWork: the next try needs work, or a wait. Args: seconds.
	ErrWork = "field.work"
	// ErrUnusual: a log-in that is unlike those before.
	ErrUnusual = "field.unusual"
	// ErrDirectory: the user name or password is wrong, or the directory that keeps
	// passwords of staff is down; which of them is not told.
	ErrDirectory = "field.directory"
	// ErrChoose: no choice was made in a list.
	ErrChoose = "field.choose"
	// ErrNothingTicked: consent allowed with nothing ticked.
	ErrNothingTicked = "field.nothing_ticked"
	// ErrAllOrOnly: "everything" chosen and single categories ticked too.
	ErrAllOrOnly = "field.all_or_only"
	// ErrNoCategory: "only these" chosen and no category ticked.
	ErrNoCategory = "field.no_category"
	// ErrDate: a date that cannot be read.
	ErrDate = "field.date"
	// ErrExpiredForm: the form was open too long or came from elsewhere.
	ErrExpiredForm = "field.expired_form"
)

// Tone says what a notice is about; it never is colour alone.
type Tone string

// The tones.
const (
	Info Tone = "info"
	Good Tone = "good"
	Stop Tone = "stop"
)

// Notice is a short message above the page's content.
type Notice struct {
	Tone Tone
	// Key is a message key such as NoticeEnded.
	Key string
	// Args fill the message's placeholders.
	Args words.Args
}

// The message keys for Notice.
const (
	// NoticeEnded: an app's access was ended. Args: app.
	NoticeEnded = "notice.ended"
	// NoticeSignedOutThere: another log-in of the person was ended.
	NoticeSignedOutThere = "notice.signed_out_there"
	// NoticeSaved: a choice was stored.
	NoticeSaved = "notice.saved"
	// NoticeSessionEnded: the session ran out; sign in again.
	NoticeSessionEnded = "notice.session_ended"
	// NoticeSignInFirst: the wanted page needs a sign-in.
	NoticeSignInFirst = "notice.sign_in_first"
	// NoticeBetterFactor: a code that was sent is too weak for the wanted page.
	NoticeBetterFactor = "notice.better_factor"
)
