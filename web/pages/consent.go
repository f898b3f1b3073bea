package pages

import "time"

// The form fields of the consent page that are not named by the handler.
const (
	// FieldAnswer is "allow" or "deny", the value of the pressed button.
	FieldAnswer = "answer"
	// FieldKeep is present when "Keep access when I am away" is ticked.
	FieldKeep = "keep"
	// FieldKeepFor is a KeepFor value.
	FieldKeepFor = "keep_for"
	// FieldHandle carries Consent.Handle.
	FieldHandle = "handle"
)

// Consent asks what an app may see and do. Posts: handle, answer, and if
// allowed the ticked ConsentKind.Field ("on"), "<Field>.how" ("all" or "only"),
// ConsentCategory.Field ("on"), ConsentAction.Field ("on"), keep, keep_for. A
// category that is ticked beside "all" is ErrAllOrOnly, never guessed at.
type Consent struct {
	Frame
	// Action is the POST target; empty means the page's own URL.
	Action string
	// Handle binds the answer to the exact request shown (SMART AZ-21).
	Handle string
	App    AppInfo
	// Patient is the name of the person whose record it is; empty when the app
	// asks for no single record.
	Patient string
	// Person is the signed-in person's name.
	Person string
	// Self: the person is the patient. Otherwise Relation is the relationship
	// code to the patient, or empty for staff.
	Self     bool
	Relation string
	// Gender is the patient's FHIR gender; it chooses "his" or "her". Optional.
	Gender string
	// Clinician chooses the short variant for an EHR launch.
	Clinician bool
	// Role is the clinician's role in words; optional.
	Role string
	// Kinds is what the app may see; Actions what it could also do.
	Kinds   []ConsentKind
	Actions []ConsentAction
	// Identity: the app learns who the person is (openid, fhirUser).
	Identity bool
	// MoreHidden: there are kinds that the patient has not shared with this
	// person. How much that is is never said.
	MoreHidden bool
	// Keep is the choice of access while the person is away; nil if the app did
	// not ask or may not have it.
	Keep *KeepChoice
	// NoKeep says why the app may not keep access although it asked; a message
	// key ("consent.nokeep.view_only", "consent.nokeep.app") or empty.
	NoKeep string
	// Until is when the person's own right ends, which the app's access cannot
	// outlive (UTC); zero if it has no end.
	Until time.Time
	// VisitMinutes is how long access lasts without Keep, in minutes.
	VisitMinutes int
	// PatientTold: the patient gets a notice of this answer.
	PatientTold bool
	// Actors are the names of programs to which the app may hand its access on.
	Actors []string
	// DeviceCode is the code that the screen of a device shows which waits for the
	// answer; empty for an app in this browser.
	DeviceCode string
	Technical  Technical
}

// AppInfo is what a page says about an app.
type AppInfo struct {
	Name  string
	Maker string
	// LogoURL is a path on our own origin; empty shows the app's initial.
	LogoURL string
	// Host is the host whose document describes the app, empty for an app that was
	// registered otherwise.
	Host  string
	Trust Trust
	// CheckedOn is when the organisation checked the app (UTC); zero if never.
	CheckedOn time.Time
	// PrivacyURL is the maker's privacy statement (https); empty if none.
	PrivacyURL string
}

// Trust is the verification state of an app, said in words.
type Trust string

// The verification states.
const (
	// Unverified: registered, checked by nobody.
	Unverified Trust = "unverified"
	// Checked by the organisation that runs this server.
	Checked Trust = "checked"
	// OwnApp is made by the organisation itself.
	OwnApp Trust = "own"
	// Community: vouched for by a trust community (UDAP).
	Community Trust = "community"
	// Demo: part of the development set.
	Demo Trust = "demo"
)

// ConsentKind is one kind of data, one row with a tick box.
type ConsentKind struct {
	// Field is the tick box's form name; unique in the page.
	Field string
	// Type is the FHIR type, "*" for all; it gives the label. Category (an
	// Observation or Condition category code) and Topic (a sensitivity code such
	// as PSY) make the label narrower.
	Type, Category, Topic string
	// Label replaces the label; for what the catalogue cannot word.
	Label string
	// Query: the scope has a query that has no words of its own; the label says
	// "some of" (SMART SCP-30).
	Query bool
	// Count is the number of entries the token could fetch; negative when it
	// is not known.
	Count   int
	Checked bool
	// Sensitive kinds are never ticked beforehand and carry a "Why?".
	Sensitive bool
	// Required: the app says that it cannot work without; Reason is the maker's.
	Required bool
	Reason   string
	// Only: "only these" is chosen rather than "all of it". Categories are ticked
	// beforehand only together with Only.
	Only       bool
	Categories []ConsentCategory
}

// ConsentCategory narrows a kind.
type ConsentCategory struct {
	// Field is the tick box's form name; unique in the page.
	Field string
	// Type is the FHIR type, Category the code; they give the label.
	Type, Category string
	// Label replaces the label.
	Label   string
	Count   int
	Checked bool
}

// ConsentAction is something the app could do beyond reading.
type ConsentAction struct {
	// Field is the tick box's form name; unique in the page.
	Field string
	// Type is the FHIR type and Verb one of "create", "update", "delete",
	// "write" (all of them); they give the label.
	Type, Verb string
	// Label replaces the label.
	Label   string
	Checked bool
	// Required and Reason as in ConsentKind.
	Required bool
	Reason   string
}

// KeepFor is how long an app keeps access while the person is away.
type KeepFor string

// The durations; "for ever" does not exist.
const (
	// KeepVisit: not at all; access ends with the visit.
	KeepVisit KeepFor = ""
	// KeepWeek is seven days.
	KeepWeek KeepFor = "1w"
	// KeepQuarter is three months, renewed while used.
	KeepQuarter KeepFor = "3m"
	// KeepYear is one year, not renewed.
	KeepYear KeepFor = "1y"
)

// KeepChoice is the choice of access while the person is away.
type KeepChoice struct {
	// Checked says whether the tick box is ticked.
	Checked bool
	// Offered durations in the order shown; KeepQuarter first.
	Offered []KeepFor
	// For is the chosen one; empty means the first offered.
	For KeepFor
}

// Chosen gives the duration that is ticked.
func (k KeepChoice) Chosen() KeepFor {
	if k.For == KeepVisit && len(k.Offered) > 0 {
		return k.Offered[0]
	}
	return k.For
}

// Technical is folded away at the bottom: the only place for scope strings.
type Technical struct {
	ClientID    string
	RedirectURI string
	Scopes      []string
}

// Template names the page.
func (Consent) Template() string { return "consent" }

// ConsentReduced warns once when something the maker calls necessary was left
// out. It repeats the answer in hidden fields. Posts what Consent posts, with
// confirmed=on and answer=allow to go on or answer=back to choose again.
type ConsentReduced struct {
	Frame
	// Action is the POST target; empty means the page's own URL.
	Action string
	App    AppInfo
	// Left are the required kinds and actions that were left out.
	Left []ConsentKind
	// Posted is the form to be repeated, without answer and csrf.
	Posted []Hidden
}

// Hidden is one hidden form field.
type Hidden struct{ Name, Value string }

// Template names the page.
func (ConsentReduced) Template() string { return "consent-reduced" }
