package pages

// SignIn asks for user name and password. Posts: username, password, shared,
// next.
type SignIn struct {
	Frame
	// Action is the POST target; empty means the page's own URL.
	Action string
	// Username keeps what was typed, Shared what was ticked.
	Username string
	Shared   bool
	// Work is what the browser has to do before the next try; nil for none. Posts
	// back: challenge, work.
	Work *Work
	// Next is an opaque value posted back (flow id or own path).
	Next string
	// AppName is the app that waits for the sign-in; empty for a direct one.
	AppName string
	// CanCancel shows "Not now", which posts answer=cancel.
	CanCancel bool
	// Passkey is the way in without a password.
	Passkey Passkey
	// Elsewhere are the identity providers at which people may sign in.
	Elsewhere []Elsewhere
}

// Template names the page.
func (SignIn) Template() string { return "signin" }

// Elsewhere is an identity provider at which people may sign in: its name and where
// the way there begins.
type Elsewhere struct{ Name, URL string }

// Work is what a browser does by itself in place of a puzzle: find text for which
// the SHA-256 of "Token:text" begins with that many zero bits.
type Work struct {
	Token string
	Bits  int
}

// StaffSignIn is the sign-in of the console. Posts: username, password, shared,
// next.
type StaffSignIn struct {
	Frame
	// Action is the POST target; empty means the page's own URL.
	Action string
	// Username keeps what was typed, Shared what was ticked.
	Username string
	Shared   bool
	// Work is what the browser has to do before the next try; nil for none. Posts
	// back: challenge, work.
	Work *Work
	// Next is an opaque value posted back.
	Next string
	// Passkey is the way in without a password.
	Passkey Passkey
	// Elsewhere are the identity providers at which people may sign in.
	Elsewhere []Elsewhere
}

// Template names the page.
func (StaffSignIn) Template() string { return "staff-signin" }

// SecondFactor asks for the code of an authenticator app. Posts: code, next.
type SecondFactor struct {
	Frame
	// Action is the POST target; empty means the page's own URL.
	Action string
	// Next is an opaque value posted back.
	Next string
	// AppName is the app that waits; empty for a direct sign-in.
	AppName string
	// CanCancel shows "Not now", which posts answer=cancel.
	CanCancel bool
	// Passkey is another way to go on. NoCode: it is the only one, the person has
	// no authenticator app.
	Passkey Passkey
	NoCode  bool
	// Recovery: the person has recovery codes. Posts: recovery, next.
	Recovery bool
	// SendAction sends a code by e-mail or SMS, where Email and SMS say so. Posts: way,
	// next.
	SendAction string
	Email, SMS bool
	// ApproveAction asks another device of the person; empty leaves it out.
	ApproveAction string
}

// Template names the page.
func (SecondFactor) Template() string { return "second-factor" }

// Leave asks whether to sign out, as an app wishes. Posts: answer=leave and what
// the app asked.
type Leave struct {
	Frame
	// Action is the POST target.
	Action string
	// AppName is the app that asks; empty when it is not known.
	AppName string
	// Asked are the parameters to post back.
	Asked map[string][]string
	// StayURL is where somebody goes who stays.
	StayURL string
}

// Template names the page.
func (Leave) Template() string { return "leave" }

// SignedOut says that the session has ended.
type SignedOut struct {
	Frame
	// SignInURL leads to a new sign-in.
	SignInURL string
	// Elsewhere is where the session began and can be ended too; no URL leaves it out.
	Elsewhere Elsewhere
}

// Template names the page.
func (SignedOut) Template() string { return "signed-out" }

// Home is the page after a direct sign-in of a patient or proxy.
type Home struct {
	Frame
	// Name is how the person is greeted.
	Name string
	// Records are the records the person may open; with one or none no choice
	// is shown. Posts to SwitchAction: patient.
	Records []PatientChoice
	// SwitchAction takes the choice of another record.
	SwitchAction string
	// HelpingURL leads to the people whom the reader helps; empty leaves it out.
	HelpingURL string
	// RecordURL leads to the reader's own record; empty leaves it out.
	RecordURL string
	// TogetherURL asks whether two people use the account; empty leaves it out.
	TogetherURL string
	// ApproveURL leads to a log-in that waits for this device; empty leaves it out.
	ApproveURL string
}

// Template names the page.
func (Home) Template() string { return "home" }

// StaffHome is the start page of the console.
type StaffHome struct {
	Frame
	// Name is how the person is greeted.
	Name string
	// Role is the staff role in words of the organisation.
	Role string
	// Tasks are the pages open to this role.
	Tasks []StaffTask
	// ApproveURL leads to a log-in that waits for this device; empty leaves it out.
	ApproveURL string
}

// StaffTask is one link of the console's start page.
type StaffTask struct {
	// Key is a message key "staff.task.<name>" with label, and ".hint".
	Key string
	URL string
}

// Template names the page.
func (StaffHome) Template() string { return "staff-home" }

// Waiting is an authorization request that waits for a log-in.
type Waiting struct {
	// AppName is the app as people know it.
	AppName string
	// Next is the own path that goes on after the log-in, Cancel the one that
	// tells the app that nobody signed in.
	Next, Cancel string
	// AppRedirect is the app's redirect URI, where the form may end up.
	AppRedirect string
}
