package proxy

import (
	"maps"
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
	// Alone gives, for each topic over which the minor decides alone, the first
	// instant at which that holds (LB-11).
	Alone map[string]time.Time `json:"alone,omitempty"`
}

// Kept lists the topics that a parent does not see at a time, in order.
func (w Ward) Kept(now time.Time) []string {
	var out []string
	for topic, from := range w.Alone {
		if !now.Before(from) {
			out = append(out, topic)
		}
	}
	slices.Sort(out)
	return out
}

// PowersAt gives the powers of a case at a time: those of the instrument, without the
// topics over which a minor decides alone. Empty means that nobody named any and the
// law takes none.
func (c Case) PowersAt(now time.Time) []string {
	kept := c.Ward.Kept(now)
	if c.Ward.Band(now) != BandChild || len(kept) == 0 {
		return c.Authority.Powers
	}
	powers := c.Authority.Powers
	if len(powers) == 0 {
		// What a representative has by law: all but what is specially protected.
		powers = slices.DeleteFunc(Powers(), func(p string) bool { return p == PowerSubstance })
	}
	return slices.DeleteFunc(slices.Clone(powers), func(p string) bool { return slices.Contains(kept, p) })
}

// Turn gives the next instant after a time at which a parent of a child sees less: a
// topic that the child then decides about, or the teenager's birthday.
func (w Ward) Turn(now time.Time) time.Time {
	turn := w.Teen
	for _, from := range w.Alone {
		if from.After(now) && from.Before(turn) {
			turn = from
		}
	}
	return turn
}

// Narrowed gives the earlier of each day of two readings of the law: a law that
// changed takes from an access there is what it takes, and gives it nothing.
func (w Ward) Narrowed(o Ward) Ward {
	earlier := func(a, b time.Time) time.Time {
		if b.IsZero() || !a.IsZero() && a.Before(b) {
			return a
		}
		return b
	}
	out := w
	out.Teen, out.Adult, out.Alone = earlier(w.Teen, o.Teen), earlier(w.Adult, o.Adult), maps.Clone(w.Alone)
	for topic, from := range o.Alone {
		if out.Alone == nil {
			out.Alone = map[string]time.Time{}
		}
		out.Alone[topic] = earlier(out.Alone[topic], from)
	}
	return out
}

// Same reports whether two wards have the same days.
func (w Ward) Same(o Ward) bool {
	return w.Teen.Equal(o.Teen) && w.Adult.Equal(o.Adult) && maps.EqualFunc(w.Alone, o.Alone, time.Time.Equal)
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
		!slices.ContainsFunc(c.Steps, func(s Step) bool {
			return !s.At.Before(c.Starts) && !s.At.Before(c.Ward.Teen) && (s.Act == ActRipen || s.Act == ActEnact)
		})
}

// Turned reports whether the Consent of a parent of a child has given way to the one
// that follows, because the child now decides about a topic.
func (c Case) Turned(now time.Time) bool {
	return c.Next != "" && !c.Turns.IsZero() && !now.Before(c.Turns) && c.Ward.Band(now) == BandChild
}

// Topical notes that a child decides about a topic alone from now on: a parent sees
// less.
func (c Case) Topical(at time.Time) (Case, error) {
	return c.take(ActRipen, Signed{By: Clock, At: at}, "minor-topic")
}

// LawChanged is the reason of a step that a change of the law brought about.
const LawChanged = "law-changed"

// Enact notes that a change of the law leaves less of an access that there is: the
// days of the ward, the labels of topics, and an earlier end.
func (c Case) Enact(w Ward, topics map[string][]string, until time.Time, at time.Time) (Case, error) {
	out, err := c.take(ActEnact, Signed{By: Clock, At: at}, LawChanged)
	if err != nil {
		return c, err
	}
	out.Ward, out.Topics = w, topics
	if !until.IsZero() && until.Before(out.Terms.Until) {
		out.Terms.Until = until
	}
	if w.Band(at) == BandTeen && out.Cosigned.Zero() && len(out.Terms.Kinds) > 0 {
		out.Terms = TeenTerms(out.Terms.Until)
	}
	return out, nil
}

// Free ends the access of a parent because the minor stands on the own feet now:
// came of age, was emancipated, married (LC-21, LC-22).
func (c Case) Free(reason string, by Signed) (Case, error) {
	return c.close(ActFree, by, reason)
}
