package proxy

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// StateRequested waits for an answer to somebody who asked to help (LC-04). The case
// names no account yet, so that nothing tells the one who asked that there is a case.
const StateRequested State = "requested"

// The acts of it.
const (
	ActRequest Act = "request"
	ActWelcome Act = "welcome"
	ActRefuse  Act = "refuse"
	ActPassOn  Act = "pass-on"
	ActForget  Act = "forget"
)

// Figures of requests.
const (
	// RequestLife is how long a request is kept, AskLife how long a patient is asked
	// before staff look at it too: silence is no consent, and opens nothing.
	RequestLife = 30 * 24 * time.Hour
	AskLife     = 7 * 24 * time.Hour
	// MaxRequests is how many one account has at a time.
	MaxRequests = 5
)

// requesting are the transitions of it.
func requesting() []Transition {
	from := []State{StateRequested}
	return []Transition{
		{ActWelcome, from, StateAccount, nil},
		{ActRefuse, from, StateEnded, nil},
		{ActReject, from, StateEnded, nil},
		{ActBlock, from, StateBlocked, nil},
		{ActPassOn, from, "", nil},
		{ActForget, from, StateEnded, nil},
	}
}

// Sought is how somebody names a patient: all three must fit.
type Sought struct {
	Name string `json:"name"`
	// Born is a date such as 1947-03-02, Number the medical record number.
	Born   string `json:"born"`
	Number string `json:"number"`
}

var recordNumber = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.-]{0,39}$`)

// Request is what somebody asks who is no party of a case yet. What becomes of it the
// one who asked never sees: found or not, blocked or not, it looks the same.
type Request struct {
	Tenant  string `json:"-"`
	ID      string `json:"-"`
	Version int    `json:"-"`
	// Person is the account that asks.
	Person string `json:"-"`
	// Open is true until the patient was looked for.
	Open bool `json:"-"`
	// Created is when it was sent, Due when it is deleted.
	Created time.Time `json:"-"`
	Due     time.Time `json:"-"`

	// Name is that of the account, Relationship a v3-RoleCode, Kind the paper.
	Name         string `json:"name"`
	Sought       Sought `json:"sought"`
	Relationship string `json:"relationship"`
	Kind         string `json:"kind"`
	// Files are kept until the patient was looked for.
	Files []RequestFile `json:"files,omitempty"`
}

// RequestFile is one file of a request.
type RequestFile struct {
	Media string `json:"media"`
	Bytes []byte `json:"bytes"`
}

// Valid checks what was typed, and knows no patient. Errors: errs.Invalid with code
// request-name, request-born, request-number, proxy-relationship or proxy-authority.
func (r Request) Valid() error {
	name := strings.Join(strings.Fields(r.Sought.Name), " ")
	if name == "" || len(name) > maxName {
		return errs.New(errs.Invalid, "request-name", "Write the name of the patient.")
	}
	if _, err := time.Parse(time.DateOnly, r.Sought.Born); err != nil {
		return errs.New(errs.Invalid, "request-born", "Write the birth date of the patient.")
	}
	if !recordNumber.MatchString(r.Sought.Number) {
		return errs.New(errs.Invalid, "request-number", "Write the record number of the patient.")
	}
	if !slices.Contains(Relations(), r.Relationship) {
		return errs.New(errs.Invalid, "proxy-relationship", "Choose who you are.")
	}
	if !slices.Contains(AuthorityKinds(), r.Kind) {
		return errs.New(errs.Invalid, "proxy-authority", "Say which paper it is.")
	}
	return nil
}

// Requested begins the case of a request whose patient was found. asking says that
// the patient can be asked, and is asked first.
func Requested(r Request, id, patient string, asking bool, at time.Time) Case {
	by := Signed{By: r.Person, At: at}
	return Case{
		Tenant: r.Tenant, ID: id, Patient: patient, State: StateRequested, Basis: BasisDesignated, Updated: at, Name: r.Name,
		Relationship: r.Relationship, Invited: by, InviteEnds: r.Due, Requester: r.Person, Asking: asking,
		Steps: []Step{{Act: ActRequest, To: StateRequested, Signed: by, Reason: r.Kind}},
	}
}

// Who gives the account of the person, of a request the one that asks.
func (c Case) Who() string {
	if c.PersonID == "" {
		return c.Requester
	}
	return c.PersonID
}

// Welcome lets somebody go on who asked: the account becomes that of the case, and
// all that an invited person goes through still lies ahead.
func (c Case) Welcome(by Signed) (Case, error) {
	out, err := c.take(ActWelcome, by, "")
	if err == nil {
		out.PersonID, out.Asking = c.Requester, false
	}
	return out, err
}

// Refuse ends what somebody asked for; nobody tells them.
func (c Case) Refuse(by Signed) (Case, error) { return c.close(ActRefuse, by, "") }

// PassOn lets staff look at a request to which the patient says nothing.
func (c Case) PassOn(at time.Time) (Case, error) {
	out, err := c.take(ActPassOn, Signed{By: Clock, At: at}, "no-answer")
	if err == nil {
		out.Asking = false
	}
	return out, err
}

// Forget ends a request that nobody answered.
func (c Case) Forget(at time.Time) (Case, error) {
	return c.close(ActForget, Signed{By: Clock, At: at}, "no-answer")
}

// askedUntil gives when the clock looks at a request again.
func (c Case) askedUntil() time.Time {
	if ends := c.Invited.At.Add(AskLife); c.Asking && ends.Before(c.InviteEnds) {
		return ends
	}
	return c.InviteEnds
}
