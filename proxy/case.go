package proxy

import (
	"slices"
	"time"
)

// State is where one person's way to one patient's record stands (A.5).
type State string

// The states.
const (
	// StateInvited waits for the person to make or name an account.
	StateInvited State = "invited"
	// StateAccount has an account that nobody has proofed yet.
	StateAccount State = "account"
	// StateProofed has an account whose identity was proofed.
	StateProofed State = "proofed"
	// StateVerified has a legal authority that a second person verified.
	StateVerified State = "verified"
	// StateConfirmed was agreed to and begins at Case.Starts.
	StateConfirmed State = "confirmed"
	// StateActive has access.
	StateActive State = "active"
	// StateSuspended is paused: everything stays, nothing is open.
	StateSuspended State = "suspended"
	// StateExpired came to its agreed end.
	StateExpired State = "expired"
	// StateRevoked was ended by the patient, or for the patient by staff.
	StateRevoked State = "revoked"
	// StateEnded ended by itself: the person resigned, the invitation was
	// refused, the relationship ended, the patient died.
	StateEnded State = "ended"
)

// Over reports whether a case in this state never opens anything again.
func (s State) Over() bool {
	return s == StateExpired || s == StateRevoked || s == StateEnded || s == StateBlocked
}

// Basis is the legal species of the access (A.1): they need different proof.
type Basis string

// The bases.
const (
	// BasisDesignated: the patient, able to decide, lets somebody in.
	BasisDesignated Basis = "designated"
	// BasisRepresentative: an instrument lets somebody stand in the patient's
	// shoes.
	BasisRepresentative Basis = "representative"
)

// Signed says who did something and when.
type Signed struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Zero reports whether nobody did.
func (s Signed) Zero() bool { return s.By == "" }

// Proofing records that a person's identity was proofed; images of documents
// are never kept (SP-03).
type Proofing struct {
	Signed
	// Method is in-person, remote or trusted-referee.
	Method string `json:"method,omitempty"`
	// Evidence is the reference of a proofing service.
	Evidence string `json:"evidence,omitempty"`
	// Documents are the kinds of the two documents that were seen.
	Documents []string `json:"documents,omitempty"`
}

// Terms are what was agreed: functions × kinds × time.
type Terms struct {
	// Functions are portal-function codes, Kinds the names of kinds of data.
	Functions []string `json:"functions,omitempty"`
	Kinds     []string `json:"kinds,omitempty"`
	// Until is the last instant.
	Until time.Time `json:"until,omitzero"`
	// DataUntil leaves out data from after it; zero leaves out none.
	DataUntil time.Time `json:"data_until,omitzero"`
}

// Step is one transition that happened.
type Step struct {
	Act  Act   `json:"act"`
	From State `json:"from"`
	To   State `json:"to"`
	Signed
	// Reason is a stable code, empty where the act says all.
	Reason string `json:"reason,omitempty"`
}

// Case is one person's way to one patient's record: from the invitation to its
// end. It is a value; its methods give the next one and never do anything.
type Case struct {
	Tenant  string `json:"-"`
	ID      string `json:"-"`
	Version int    `json:"-"`
	Patient string `json:"-"`
	// PersonID is the account of the proxy, empty until there is one.
	PersonID string `json:"-"`
	State    State  `json:"-"`
	// Secret is the keyed hash of the invitation's link, empty once it is used.
	Secret string `json:"-"`
	// Due is when the clock has something to do; zero: never.
	Due     time.Time `json:"-"`
	Updated time.Time `json:"-"`

	Basis Basis `json:"basis"`
	// Name and Email are as the inviter wrote them, Relationship a v3-RoleCode.
	Name         string `json:"name"`
	Email        string `json:"email,omitempty"`
	Relationship string `json:"relationship"`
	Invited      Signed `json:"invited"`
	// InviteEnds is when the link stops working; Tries counts failed ones.
	InviteEnds time.Time `json:"invite_ends,omitzero"`
	Tries      int       `json:"tries,omitempty"`

	Proofing  Proofing  `json:"proofing,omitzero"`
	Authority Authority `json:"authority,omitzero"`
	// Requester is the account that asked for it, Asking says that the patient is asked.
	Requester string `json:"requester,omitempty"`
	Asking    bool   `json:"asking,omitempty"`
	// Papers are the pictures of papers that were put in, the newest last.
	Papers []Paper `json:"papers,omitempty"`
	// Confirmed is the patient's own consent.
	Confirmed Signed `json:"confirmed,omitzero"`
	Terms     Terms  `json:"terms,omitzero"`
	// Starts is when the agreed access begins.
	Starts time.Time `json:"starts,omitzero"`
	// ConsentID and RelationID are the FHIR resources that carry it.
	ConsentID  string `json:"consent,omitempty"`
	RelationID string `json:"relation,omitempty"`
	// Prompted is the last renewal prompt, in days before the end.
	Prompted int `json:"prompted,omitempty"`
	// Asked says that the proxy asked for a renewal.
	Asked Signed `json:"asked,omitzero"`
	// Determined are the clinicians who found that the patient cannot decide.
	Determined []Signed `json:"determined,omitempty"`
	// Died is who reported that the patient has died; another must say so too.
	Died Signed `json:"died,omitzero"`
	// Barred are the Consents that shut the person out, while it is blocked.
	Barred []string `json:"barred,omitempty"`
	// Ward is of a parent's case: until when the patient is a minor.
	Ward Ward `json:"ward,omitzero"`
	// Cosigned is the second signature where two must sign.
	Cosigned Signed `json:"cosigned,omitzero"`
	// Disputed is who said that agent and patient do not agree.
	Disputed Signed `json:"disputed,omitzero"`
	// Looked are the clinicians who looked again before the review ends, LookedUntil
	// the day that the first of them chose.
	Looked      []Signed  `json:"looked,omitempty"`
	LookedUntil time.Time `json:"looked_until,omitzero"`
	// Unavailable is who said that whoever is named before cannot act (FX-29).
	Unavailable Signed `json:"unavailable,omitzero"`
	// Vouched is a trusted referee, until another member of staff agrees.
	Vouched Signed `json:"vouched,omitzero"`
	// Before are the terms that a death narrowed.
	Before *Terms `json:"before,omitempty"`
	// Was is the state before a merge, WasWhy why the access rested then, Apart what
	// the record gave alone, MergedWith the case of the other record.
	Was        State  `json:"was,omitempty"`
	WasWhy     string `json:"was_why,omitempty"`
	Apart      *Apart `json:"apart,omitempty"`
	MergedWith string `json:"merged_with,omitempty"`
	// Next is the Consent that begins when that of ConsentID ends.
	// Turns is when.
	Next  string    `json:"next,omitempty"`
	Turns time.Time `json:"turns,omitzero"`
	// Law names the rules by which the case was last looked at, Topics the labels that
	// each topic had when its Consent was agreed to.
	Law    string              `json:"law,omitempty"`
	Topics map[string][]string `json:"topics,omitempty"`
	// Rested is the Consent that rests while access is suspended.
	Rested string `json:"rested,omitempty"`
	// Tell is what the patient chose to hear of this person; Telling says what
	// holds. Used is the first look, as far as it was noted, and Heard until when
	// looks were told of.
	Tell  Told      `json:"tell,omitempty"`
	Used  time.Time `json:"used,omitzero"`
	Heard time.Time `json:"heard,omitzero"`
	Steps []Step    `json:"steps"`
}

// At gives the state at a time: an agreed access begins and ends by the clock
// alone, whether or not anybody has noted it yet.
func (c Case) At(now time.Time) State {
	s := c.State
	if s == StateConfirmed && !c.Starts.IsZero() && !now.Before(c.Starts) {
		s = StateActive
	}
	if (s == StateActive || s == StateSuspended || s == StateBereaved) && !c.Terms.Until.IsZero() && now.After(c.Terms.Until) {
		s = StateExpired
	}
	return s
}

// Proofed reports whether the identity was proofed.
func (c Case) Proofed() bool { return !c.Proofing.Zero() }

// Agreed reports whether the patient consented or a verified authority stands in
// for the consent.
func (c Case) Agreed() bool { return !c.Confirmed.Zero() || c.Authority.Verified() }

// Why gives the reason of the last step, "" where the step says all. What was noted
// beside meanwhile takes no reason away: an access that rests keeps its own.
func (c Case) Why() string {
	for _, step := range slices.Backward(c.Steps) {
		if step.Act != ActReport && step.Act != ActEnact {
			return step.Reason
		}
	}
	return ""
}

// Revision counts the steps: by it a page knows whether what it showed still holds.
// What jobs note beside leaves it: the first use, and that the day of an access has
// come, which At told before.
func (c Case) Revision() (n int) {
	for _, s := range c.Steps {
		if s.Act != ActBegin {
			n++
		}
	}
	return n
}

// take gives the case after an act, with the step noted; the machine says
// whether there is such a transition now.
func (c Case) take(act Act, by Signed, reason string) (Case, error) {
	to, err := next(c, act, by.At)
	if err != nil {
		return c, err
	}
	c.Steps = append(slices.Clone(c.Steps), Step{Act: act, From: c.State, To: to, Signed: by, Reason: reason})
	c.State, c.Updated = to, by.At
	return c, nil
}
