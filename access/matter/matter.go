package matter

import (
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/law"
)

// Kind is what has to be decided.
type Kind string

// The kinds.
const (
	// Review: somebody who stands in the patient's shoes was denied something.
	Review Kind = "review"
	// Dispute: people who help one patient do not agree.
	Dispute Kind = "dispute"
)

// Outcome is what was decided.
type Outcome string

// The outcomes.
const (
	// Upheld: the denial stands, on its ground. Lifted: access is to be given.
	Upheld Outcome = "upheld"
	Lifted Outcome = "lifted"
	// Both: both go on. One: one of them rests. Referred: ethics, privacy or a court
	// decides.
	Both     Outcome = "both"
	One      Outcome = "single"
	Referred Outcome = "referred"
)

// Outcomes lists those that a kind can have.
func Outcomes(k Kind) []Outcome {
	switch k {
	case Dispute:
		return []Outcome{Both, One, Referred}
	case Joint:
		return []Outcome{Done, Undone}
	}
	return []Outcome{Upheld, Lifted}
}

// Matter is one thing to decide. It is a value; its methods give the next one.
type Matter struct {
	Tenant  string `json:"-"`
	ID      string `json:"-"`
	Version int    `json:"-"`
	Patient string `json:"-"`
	// Open until decided; Due is the last day.
	Open bool      `json:"-"`
	Due  time.Time `json:"-"`

	Kind Kind `json:"kind"`
	// Cases are the ways to the record that it is about.
	Cases []string `json:"cases"`
	// OpenedBy may be the person who was denied. DeniedBy is the member of staff who
	// denied, empty for nobody.
	OpenedBy string    `json:"opened_by"`
	Opened   time.Time `json:"opened"`
	DeniedBy string    `json:"denied_by,omitempty"`
	// Ground is that of the denial, an id of the law in force then.
	Ground string `json:"ground,omitempty"`
	// Function is what people who must act together ask for, Paper the kind of their
	// instrument, Approved who of them agreed.
	Function string     `json:"function,omitempty"`
	Paper    string     `json:"paper,omitempty"`
	Approved []Approval `json:"approved,omitempty"`
	// Warned says that staff were told that the day has passed.
	Warned bool `json:"warned,omitempty"`

	Outcome   Outcome   `json:"outcome,omitempty"`
	DecidedBy string    `json:"decided_by,omitempty"`
	Decided   time.Time `json:"decided,omitzero"`
}

// Begin gives a new matter that is due in so many working days (IB-05).
func Begin(kind Kind, tenant, id, patient, by string, now time.Time, days int, zone *time.Location, cases ...string) Matter {
	return Matter{
		Tenant: tenant, ID: id, Patient: patient, Open: true, Due: WorkingDays(now, days, zone),
		Kind: kind, Cases: cases, OpenedBy: by, Opened: now,
	}
}

// WorkingDays gives the last second of the day that is so many working days, Monday
// to Friday, after a time. Public holidays count as working days: that makes it
// earlier, never later.
func WorkingDays(from time.Time, days int, zone *time.Location) time.Time {
	at := from.In(zone)
	for days > 0 {
		at = at.AddDate(0, 0, 1)
		if d := at.Weekday(); d != time.Saturday && d != time.Sunday {
			days--
		}
	}
	return time.Date(at.Year(), at.Month(), at.Day(), 23, 59, 59, 0, zone).UTC()
}

// Overdue reports whether the day has passed.
func (m Matter) Overdue(now time.Time) bool { return m.Open && now.After(m.Due) }

// Decide ends a matter by the law as it stands. Errors: errs.Conflict with code
// matter-decided; errs.Forbidden with code matter-own for who denied or asked, and
// with code matter-waits before two agreed; errs.Invalid with code matter-outcome, and
// with code matter-ground for a denial that rests on no ground.
func (m Matter) Decide(o Outcome, ground, by string, now time.Time, l *law.Law) (Matter, error) {
	switch {
	case !m.Open:
		return m, errs.New(errs.Conflict, "matter-decided", "This was decided already.")
	case !m.Ready():
		return m, errs.New(errs.Forbidden, "matter-waits", "Somebody else must agree first.")
	case by == m.OpenedBy || by == m.DeniedBy:
		return m, errs.New(errs.Forbidden, "matter-own", "Another member of staff must decide this.")
	case !slices.Contains(Outcomes(m.Kind), o):
		return m, errs.New(errs.Invalid, "matter-outcome", "Choose what was decided.")
	case o == Upheld && !l.Known(ground, now):
		return m, errs.New(errs.Invalid, "matter-ground", "A denial rests on a ground that the law names.")
	}
	m.Open, m.Outcome, m.DecidedBy, m.Decided = false, o, by, now
	if o == Upheld {
		m.Ground = ground
	}
	return m, nil
}
