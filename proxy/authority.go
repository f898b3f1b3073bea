package proxy

import (
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// Trigger says when an instrument takes effect.
type Trigger string

// The triggers.
const (
	// TriggerImmediate: from its verification on (FX-27).
	TriggerImmediate Trigger = "immediate"
	// TriggerCapacity: when two clinicians find that the patient cannot decide
	// (FX-26).
	TriggerCapacity Trigger = "capacity-loss"
)

// Authority is a legal instrument and what staff found about it (SP-04).
type Authority struct {
	// Kind is a v3-RoleCode: HPOWATT, DPOWATT, GUARD, EXCEST or PRN.
	Kind    string  `json:"kind"`
	Trigger Trigger `json:"trigger"`
	// Attested uploads the instrument, Checked is the second person.
	Attested Signed `json:"attested"`
	Checked  Signed `json:"checked,omitzero"`
	// Seen are the items of the checklist that the second person ticked.
	Seen []string `json:"seen,omitempty"`
	// Files are the ids of the pictures of papers that whoever attested it, and after
	// that whoever checked it, looked at before saying so (RS-08).
	Files []string `json:"files,omitempty"`
	// Reviews is the day on which it is looked at again, Ends the court date
	// after which it no longer holds; zero: none.
	Reviews time.Time `json:"reviews,omitzero"`
	Ends    time.Time `json:"ends,omitzero"`
	// Powers are what the instrument says in so many words (FX-28); none means that
	// nobody noted them, and it opens what a representative has by law.
	Powers []string `json:"powers,omitempty"`
	// Suspends says that the court's order puts agents out of office (LC-18).
	Suspends bool `json:"suspends,omitempty"`
	// Place is where the instrument names the person in the order of agents, 0 to
	// LastAlternate (FX-29). Joint says that the person cannot act without another
	// (FX-30).
	Place int  `json:"place,omitempty"`
	Joint bool `json:"joint,omitempty"`
}

// PowerRecords is the power to inspect and disclose health records (LOINC 81344-4):
// without it an instrument opens no record.
const PowerRecords = "records"

// PowerSubstance is the power over what is specially protected (LOINC 81345-1): it
// opens records of substance use, never those of a Part 2 programme by itself.
const PowerSubstance = "substance-use"

// Powers lists what an instrument can give, in the order of the page: looking at
// records, and the topics that it opens besides.
func Powers() []string {
	return []string{PowerRecords, "mental-health", "hiv", "sexual-health", "violence", "genetics", PowerSubstance}
}

// Verified reports whether a second person verified the instrument.
func (a Authority) Verified() bool { return !a.Attested.Zero() && !a.Checked.Zero() }

// Live reports whether a verified instrument holds at a time.
func (a Authority) Live(now time.Time) bool {
	return a.Verified() && (a.Ends.IsZero() || now.Before(a.Ends))
}

// Parent is the instrument of a parent of a minor, Guardian that of a court.
const (
	Parent   = "PRN"
	Guardian = "GUARD"
)

// AuthorityKinds lists the instruments that staff can verify.
func AuthorityKinds() []string { return []string{"HPOWATT", "DPOWATT", Guardian, Parent, "EXCEST"} }

// Attest notes that one member of staff has seen the instrument. Errors:
// errs.Invalid for an unknown kind or trigger, and with code proxy-power,
// proxy-place, proxy-joint or proxy-authority-over; those of the machine.
func (c Case) Attest(a Authority, by Signed) (Case, error) {
	if !slices.Contains(AuthorityKinds(), a.Kind) || a.Trigger != TriggerImmediate && a.Trigger != TriggerCapacity {
		return c, errs.New(errs.Invalid, "proxy-authority", "Say which instrument it is and when it takes effect.")
	}
	if slices.ContainsFunc(a.Powers, func(p string) bool { return !slices.Contains(Powers(), p) }) {
		return c, errs.New(errs.Invalid, "proxy-power", "There is no such power.")
	}
	if err := a.placed(); err != nil {
		return c, err
	}
	if !a.Ends.IsZero() && !a.Ends.After(by.At) {
		return c, errs.New(errs.Invalid, "proxy-authority-over", "The instrument is no longer in force.")
	}
	out, err := c.take(ActAttest, by, a.Kind)
	if err != nil {
		return c, err
	}
	a.Attested, a.Checked, a.Seen, a.Files = by, Signed{}, nil, nil
	out.Authority, out.Basis, out.Ward, out.Unavailable = a, BasisRepresentative, Ward{}, Signed{}
	return out, nil
}

// Verify is the second pair of eyes: seen are the ticked items of the checklist of
// the kind, review when it is looked at again, zero takes NextReview. Errors:
// errs.Forbidden with code proxy-same-reviewer when it is the first, or put in a
// picture of a paper (SP-04); errs.Invalid with code proxy-checklist, proxy-review; those of the machine.
func (c Case) Verify(seen []string, review time.Time, by Signed) (Case, error) {
	if c.putIn(by.By) {
		return c, errs.New(errs.Forbidden, "proxy-same-reviewer", "Another member of staff must verify what you have put in.")
	}
	out, err := c.take(ActVerify, by, "")
	if err != nil {
		return c, err
	}
	if err := ChecklistOf(c.Authority.Kind).Judge(seen); err != nil {
		return c, err
	}
	if review.IsZero() {
		review = c.NextReview(by.At)
	}
	if !review.After(by.At) || review.After(by.At.AddDate(0, LongestMonths, 1)) {
		return c, errs.New(errs.Invalid, "proxy-review", "The next look must be ahead, and within twelve months.")
	}
	out.Authority.Reviews = review
	out.Authority.Reviews = out.NextReview(by.At)
	out.Authority.Checked, out.Authority.Seen = by, slices.Clone(seen)
	return out, nil
}

// Determine notes that a clinician finds that the patient cannot decide now.
// ready is true when it was the second one: then the access can begin, until
// the review (LC-13). Errors: errs.Forbidden with code proxy-same-reviewer for
// the same clinician twice; those of the machine.
func (c Case) Determine(by Signed) (out Case, ready bool, err error) {
	if slices.ContainsFunc(c.Determined, func(s Signed) bool { return s.By == by.By }) {
		return c, false, errs.New(errs.Forbidden, "proxy-same-reviewer", "A second clinician must agree.")
	}
	if out, err = c.take(ActDetermine, by, ""); err != nil {
		return c, false, err
	}
	out.Determined = append(slices.Clone(c.Determined), by)
	return out, len(out.Determined) >= 2, nil
}

// Effective says why access on the authority alone may not begin yet, "" when
// it may: it is verified, a springing one is activated by two clinicians, and of an
// alternate somebody has said that whoever is named before cannot act (FX-29).
func (c Case) Effective(now time.Time) string {
	switch {
	case !c.Authority.Verified():
		return "proxy-authority-missing"
	case !c.Authority.Live(now):
		return "proxy-authority-over"
	case len(c.Authority.Powers) > 0 && !slices.Contains(c.Authority.Powers, PowerRecords):
		return "proxy-power-records"
	case c.Authority.Trigger == TriggerCapacity && len(c.Determined) < 2:
		return "proxy-not-activated"
	case c.Alternate() && c.Unavailable.Zero():
		return "proxy-" + PrimaryUnavailable
	}
	return ""
}
