package matter

import (
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// Joint is that people who must act together ask for something to be done (FX-30).
const Joint Kind = "joint"

// Further outcomes: staff did what was asked, or could not; somebody who must agree
// did not; nobody agreed in time.
const (
	Done     Outcome = "done"
	Undone   Outcome = "undone"
	Declined Outcome = "declined"
	Lapsed   Outcome = "lapsed"
)

// Approvers is how many must agree before anything is done.
const Approvers = 2

// Approval is the yes of one person.
type Approval struct {
	// Case is the way to the record by which the person acts, By the account.
	Case string    `json:"case"`
	By   string    `json:"by"`
	At   time.Time `json:"at"`
}

// Ready reports whether staff may decide: of what people ask for together two must
// have agreed.
func (m Matter) Ready() bool { return m.Kind != Joint || len(m.Approved) >= Approvers }

// Ask begins a matter of people who must act together: the one who asks agrees.
func (m Matter) Ask(function string, by Approval) Matter {
	m.Function, m.Approved = function, []Approval{by}
	return m
}

// Approve adds the yes of another person; due is the last day for staff once two have
// agreed. Errors: errs.Conflict with code matter-decided; errs.Forbidden with code
// matter-own for who agreed before.
func (m Matter) Approve(by Approval, due time.Time) (Matter, error) {
	if err := m.answerable(by.By); err != nil {
		return m, err
	}
	m.Cases, m.Approved = append(slices.Clone(m.Cases), by.Case), append(slices.Clone(m.Approved), by)
	if m.Ready() {
		m.Due = due
	}
	return m, nil
}

// Decline ends what was asked for because somebody who must agree does not. Errors: as
// of Approve.
func (m Matter) Decline(by string, at time.Time) (Matter, error) {
	if err := m.answerable(by); err != nil {
		return m, err
	}
	return m.closed(Declined, by, at), nil
}

// Lapse ends what was asked for because nobody agreed in time.
func (m Matter) Lapse(at time.Time) Matter { return m.closed(Lapsed, "", at) }

func (m Matter) answerable(by string) error {
	switch {
	case !m.Open || m.Kind != Joint || m.Ready():
		return errs.New(errs.Conflict, "matter-decided", "This was decided already.")
	case slices.ContainsFunc(m.Approved, func(a Approval) bool { return a.By == by }):
		return errs.New(errs.Forbidden, "matter-own", "Another person must agree.")
	}
	return nil
}

func (m Matter) closed(o Outcome, by string, at time.Time) Matter {
	m.Open, m.Outcome, m.DecidedBy, m.Decided = false, o, by, at
	return m
}
