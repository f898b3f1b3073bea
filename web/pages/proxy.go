package pages

import (
	"html/template"
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

// CaseLine is one person's way to a record, in a line.
type CaseLine struct {
	Name string
	// Relation is the relationship code to the patient.
	Relation string
	// Patient is whose record it is; empty for the reader's own.
	Patient string
	// State is a state of package proxy.
	State string
	// Starts and Until bound what was agreed (UTC); zero: nothing was.
	Starts, Until time.Time
	URL           string
}

// Invite asks whom the patient wants to let in. Posts: name, email, relation and
// again=yes when Similar was answered.
type Invite struct {
	Frame
	Name, Email string
	// Who is the choice of the relationship.
	Who ActField
	// Similar: somebody of this name or address is there already.
	Similar bool
}

// Template names the page.
func (Invite) Template() string { return "invite" }

// Block asks whom to shut out who is not on the list. Posts: name, email, relation.
type Block struct {
	Frame
	Name, Email string
	// Who is the choice of the relationship.
	Who ActField
}

// Template names the page.
func (Block) Template() string { return "block" }

// ProxyPerson is one person's way to a record, as one of three readers sees it.
type ProxyPerson struct {
	Frame
	// Reader is patient, proxy or staff.
	Reader string
	Line   CaseLine
	// Email, Code and InviteEnds are of an invitation that is open; the patient
	// tells the code.
	Email, Code string
	InviteEnds  time.Time
	// Functions and Kinds are what was agreed.
	Functions, Kinds []string
	// Documents are those seen when the identity was proofed.
	Documents []string
	// Papers is how many pictures of papers were put in.
	Papers    int
	Authority *CaseAuthority
	Acts      []CaseAct
	Steps     []CaseStep
	// Together is with whom the person must act; nil for who acts alone.
	Together *ActingTogether
	// Use is what the person does with the access, as the patient sees it.
	Use HelperUse
}

// UseOf says whose use of which record is asked for.
type UseOf struct {
	PersonID, Patient string
	// Kinds are those that the person may see.
	Kinds []NamedKind
}

// NamedKind is a kind of data by name, with its FHIR types.
type NamedKind struct {
	Name  string
	Types []string
}

// HelperUse is what a person who helps does with the access.
type HelperUse struct {
	// ActivityURL leads to what the person looked at; empty leaves it out.
	ActivityURL string
	// Unseen are the names of kinds that the person may see and never looked at.
	Unseen []string
	// Apps are those that the person let see the record.
	Apps []AppEntry
}

// CaseAuthority is a legal instrument as staff sees it.
type CaseAuthority struct {
	// Kind is a relationship code, Trigger immediate or capacity-loss.
	Kind, Trigger string
	Verified      bool
	// Reviews and Ends are zero when there is none.
	Reviews, Ends time.Time
	// Determined is how many clinicians found that the patient cannot decide.
	Determined int
	// Powers are what it lets the person see; empty: nobody noted them. Disputed:
	// the person and the patient do not agree.
	Powers   []string
	Disputed bool
	// Place is that in the order of agents, 0 for who is named first or alone. Joint:
	// the person acts only together with another.
	Place int
	Joint bool
}

// ActingTogether is with whom somebody must act, and what waits.
type ActingTogether struct {
	// Others are the names of those who must agree; none: nobody has access now.
	Others []string
	Asked  []JointAsk
}

// JointAsk is something that two must want.
type JointAsk struct {
	// Function is the code of a portal function, Who the name of who asked.
	Function, Who string
	// Mine: the reader asked. Agreed: two have, and staff do it by Due.
	Mine, Agreed bool
	Due          time.Time
}

// CaseAct is one thing that can be done now.
type CaseAct struct{ Key, URL string }

// CaseStep is one thing that happened. Who is empty for the clock.
type CaseStep struct {
	At       time.Time
	Key, Who string
}

// Template names the page.
func (ProxyPerson) Template() string { return "proxy-person" }

func (p ProxyPerson) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "proxy-person.title." + p.Reader, words.Args{"who": p.Line.Name, "patient": p.Line.Patient}
}

// ProxyAct asks once before something is done. Posts: answer=yes or answer=no,
// version, and its fields.
type ProxyAct struct {
	Frame
	// Act names the words "proxy-act.<act>.title", ".lead" and ".yes".
	Act string
	// Who is whom it is about, Patient whose record it is.
	Who, Patient string
	Fields       []ActField
	// Leave are kinds of data that can be left out, posted as "without".
	Leave []ShareChoice
	// Kinds, Functions and Until are what is signed, where somebody else chose it.
	Kinds, Functions []string
	Until            time.Time
	// Version is posted back, so that a concurrent change shows.
	Version int
}

// Discreet reports whether the page must not tell in the list of pages visited, or
// to who comes near, what it is about; it has a way to leave at once.
func (p ProxyAct) Discreet() bool { return p.Act == "worry" }

// ActField is one field of the question.
type ActField struct {
	// Name is the field and the word key "proxy-act.field.<name>".
	Name string
	// Kind is text, date, select, ticks (any of the options) or check.
	Kind    string
	Value   string
	Options []Option
}

// Template names the page.
func (ProxyAct) Template() string { return "proxy-act" }

func (p ProxyAct) titleKey(*words.Catalogue, string) (string, words.Args) {
	if p.Discreet() {
		return "proxy-person.title.patient", words.Args{"who": p.Who}
	}
	return "proxy-act." + p.Act + ".title", words.Args{"who": p.Who, "patient": p.Patient}
}

// ShareChoice is one thing that can be ticked.
type ShareChoice struct {
	Name    string
	Checked bool
}

// Share builds a grant: what the person may do, which kinds, until when. Posts:
// fn and kind (repeated), until, urgent, version.
type Share struct {
	Frame
	Who              string
	Functions, Kinds []ShareChoice
	// Until is the date as typed, Latest the latest one that is possible.
	Until, Latest string
	Urgent        bool
	// Running: it changes an access that has begun.
	Running bool
	Version int
}

// Template names the page.
func (Share) Template() string { return "share" }

func (p Share) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "share.title", words.Args{"who": p.Who}
}

// ShareSeen shows what the person would see before anything is agreed. Posts what
// Share posts and answer=yes or answer=back.
type ShareSeen struct {
	Frame
	Share Share
	// Until is the last day in the zone of the pages.
	Until time.Time
	Seen  []SeenKind
}

// SeenKind counts entries of one kind.
type SeenKind struct {
	Kind  KindRef
	Count int
}

// Template names the page.
func (ShareSeen) Template() string { return "share-seen" }

func (p ShareSeen) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "share-seen.title", words.Args{"who": p.Share.Who}
}

// Invitation asks an invited person for the address and the code. It says the
// same for every link. Posts: email, code.
type Invitation struct {
	Frame
	Email, Code string
	// SignInURL is for those who have an account and are not signed in.
	SignInURL string
}

// Template names the page.
func (Invitation) Template() string { return "invitation" }

// InvitationAccount makes the account of an invited person. Posts: email, code,
// username, password, onetime.
type InvitationAccount struct {
	Frame
	Email, Code, Username string
	// Secret goes into a code app; QR says it as a picture (PNG).
	Secret string
	QR     []byte
}

// Image is the QR code for a browser.
func (p InvitationAccount) Image() template.URL { return png(p.QR) }

// Spaced is the secret in groups of four.
func (p InvitationAccount) Spaced() string { return spaced(p.Secret) }

// Template names the page.
func (InvitationAccount) Template() string { return "invitation-account" }

// InvitationDone says what comes next.
type InvitationDone struct {
	Frame
	NextURL string
}

// Template names the page.
func (InvitationDone) Template() string { return "invitation-done" }

// Helping lists the people whom the reader helps.
type Helping struct {
	Frame
	People []CaseLine
	// AskURL leads to where the reader asks to help somebody.
	AskURL string
}

// Template names the page.
func (Helping) Template() string { return "helping" }

// ProxyQueue is the work of staff: who waits for what.
type ProxyQueue struct {
	Frame
	Groups []QueueGroup
	// RegisterURL leads to where staff put somebody on a patient's list.
	RegisterURL string
	// AdoptURL is where a person from before gets onto the list.
	AdoptURL string
}

// QueueGroup is those who wait for one thing: hold, request, proof, verify, patient, teen
// (who has no account yet), activate or mourning.
type QueueGroup struct {
	Key   string
	Lines []CaseLine
}

// Template names the page.
func (ProxyQueue) Template() string { return "proxy-queue" }
