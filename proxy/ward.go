package proxy

import (
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// Ward says until when a patient is a minor, for the case of a parent (FX-23).
// Zero: the patient's age plays no part.
type Ward struct {
	Jurisdiction string `json:"jurisdiction,omitempty"`
	// Teen and Adult are the first instants of the birthdays that count.
	Teen  time.Time `json:"teen,omitzero"`
	Adult time.Time `json:"adult,omitzero"`
}

// Band is what the law makes of an age.
type Band string

// The bands.
const (
	// BandNone: the age plays no part.
	BandNone  Band = ""
	BandChild Band = "child"
	BandTeen  Band = "teen"
	BandAdult Band = "adult"
)

// Band gives the band at a time.
func (w Ward) Band(now time.Time) Band {
	switch {
	case w.Adult.IsZero():
		return BandNone
	case !now.Before(w.Adult):
		return BandAdult
	case !now.Before(w.Teen):
		return BandTeen
	}
	return BandChild
}

// TeenTerms are what a parent keeps on the birthday itself, by law and without a
// signature: what a household needs (E5). Anything else two agree to.
func TeenTerms(until time.Time) Terms {
	return Terms{Functions: []string{"message", "schedule"}, Kinds: []string{"allergies", "medicines", "visits"}, Until: until}
}

// TeenKinds and TeenFunctions are the most that a teenager and a parent can agree
// to: what a teenager may keep private is behind its labels besides.
func TeenKinds() []string {
	return []string{"medicines", "allergies", "results", "conditions", "visits", "plans"}
}

// TeenFunctions is what a parent may do besides looking.
func TeenFunctions() []string { return []string{"message", "schedule", "refill"} }

// AttestParent notes that one member of staff has seen the papers of a parent of a
// minor. Errors: errs.Invalid with code proxy-not-minor for an adult; those of
// Attest.
func (c Case) AttestParent(a Authority, w Ward, by Signed) (Case, error) {
	if b := w.Band(by.At); b == BandNone || b == BandAdult {
		return c, errs.New(errs.Invalid, "proxy-not-minor", "The patient is no minor, or the birth date is not known.")
	}
	a.Trigger = TriggerImmediate
	out, err := c.Attest(a, by)
	if err == nil {
		out.Ward = w
	}
	return out, err
}

// Propose is the first of two signatures: the teenager chooses what a parent may
// see, and nothing is open until the parent signs too (FX-24, FX-33). Errors:
// errs.Forbidden with code proxy-not-teen; errs.Invalid as of Confirm, or with code
// proxy-teen-most for more than two can agree to.
func (c Case) Propose(t Terms, by Signed) (Case, error) {
	if c.Ward.Band(by.At) != BandTeen {
		return c, errs.New(errs.Forbidden, "proxy-not-teen", "Two sign only for a teenager.")
	}
	if !(Terms{Kinds: t.Kinds, Functions: t.Functions}).Within(Terms{Kinds: TeenKinds(), Functions: TeenFunctions()}) {
		return c, errs.New(errs.Invalid, "proxy-teen-most", "A parent of a teenager cannot have all of this.")
	}
	if t.Until.After(c.Ward.Adult) {
		return c, errs.New(errs.Invalid, "proxy-end-late", "It ends when the teenager comes of age.")
	}
	if err := t.valid(by.At); err != nil {
		return c, err
	}
	out, err := c.take(ActPropose, by, "")
	if err == nil {
		out.Confirmed, out.Cosigned, out.Terms, out.Starts = by, Signed{}, t, time.Time{}
	}
	return out, err
}

// Cosign is the second signature, by the parent. It begins at starts. Errors: those
// of the machine; errs.Forbidden with code proxy-same-reviewer for the same person.
func (c Case) Cosign(starts time.Time, by Signed) (Case, error) {
	if c.Confirmed.By == by.By {
		return c, errs.New(errs.Forbidden, "proxy-same-reviewer", "Another person must sign.")
	}
	if err := c.Terms.valid(by.At); err != nil {
		return c, err
	}
	out, err := c.take(ActCosign, by, "")
	if err == nil {
		out.Cosigned, out.Starts, out.Prompted, out.Asked = by, starts, 0, Signed{}
	}
	return out, err
}

// Ripen notes that a child became a teenager: what a parent has becomes the
// teenager's least (LC-20). The Consent of it was there before and began by its
// own date.
func (c Case) Ripen(at time.Time) (Case, error) {
	out, err := c.take(ActRipen, Signed{By: Clock, At: at}, "teen-age")
	if err == nil {
		out.Terms = TeenTerms(c.Terms.Until)
	}
	return out, err
}

// Ripe reports whether the step of Ripen is due.
func (c Case) Ripe(now time.Time) bool {
	return c.Ward.Band(now) == BandTeen && c.Ward.Band(c.Starts) == BandChild &&
		!slices.ContainsFunc(c.Steps, func(s Step) bool { return s.Act == ActRipen && !s.At.Before(c.Starts) })
}

// Free ends the access of a parent because the minor stands on the own feet now:
// came of age, was emancipated, married (LC-21, LC-22).
func (c Case) Free(reason string, by Signed) (Case, error) {
	return c.close(ActFree, by, reason)
}
