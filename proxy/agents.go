package proxy

import (
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// LastAlternate is the last place in the order of agents: 0 is who is named first or
// alone, 1 the first alternate, 2 the second (FX-29).
const LastAlternate = 2

// Reasons of the order of agents.
const (
	// PrimaryUnavailable: whoever is named before cannot or will not act.
	PrimaryUnavailable = "primary-unavailable"
	// PrimaryAvailable: whoever is named before acts, so that the alternate steps
	// back.
	PrimaryAvailable = "primary-available"
)

// ActStepBack returns an alternate to sleep.
const ActStepBack Act = "step-back"

// orders are the transitions that the order of agents brings.
func orders() []Transition {
	return []Transition{{ActStepBack, []State{StateConfirmed, StateActive}, StateVerified, alternate}}
}

func alternate(c Case) string {
	if !c.Alternate() {
		return "proxy-not-alternate"
	}
	return ""
}

// Agent reports whether an instrument names an agent: only those have alternates.
func (a Authority) Agent() bool { return a.Kind == "HPOWATT" || a.Kind == "DPOWATT" }

// placed checks the order of agents and who must act together. Errors: errs.Invalid
// with code proxy-place, proxy-joint.
func (a Authority) placed() error {
	switch {
	case a.Place < 0 || a.Place > LastAlternate || a.Place > 0 && !a.Agent():
		return errs.New(errs.Invalid, "proxy-place", "Only a power of attorney names others, and two at most.")
	case a.Joint && !a.Agent() && a.Kind != Guardian:
		return errs.New(errs.Invalid, "proxy-joint", "Only agents and guardians act together.")
	}
	return nil
}

// Alternate reports whether the person stands behind another in the order of agents.
func (c Case) Alternate() bool { return c.Authority.Place > 0 }

// Dormant reports whether a verified instrument sleeps until something happens: two
// clinicians find that the patient cannot decide (FX-26), or whoever is named before
// cannot act (FX-29).
func (c Case) Dormant() bool {
	return c.State == StateVerified && c.Authority.Verified() && c.Ward.Adult.IsZero() &&
		(c.Authority.Trigger == TriggerCapacity || c.Alternate())
}

// Joint reports whether the person has access and acts only together with another
// (FX-30); while they disagree with the patient nobody acts.
func (c Case) Joint(now time.Time) bool {
	return c.Authority.Joint && c.Disputed.Zero() && c.At(now) == StateActive
}

// Instead notes that whoever is named before an alternate cannot or will not act. It
// changes nothing for who is named first.
func (c Case) Instead(by Signed) Case {
	if c.Alternate() {
		c.Unavailable = by
	}
	return c
}

// NamedBefore reports whether c is named before another in instruments of one kind.
func (c Case) NamedBefore(o Case) bool {
	return c.ID != o.ID && c.Authority.Kind == o.Authority.Kind && c.Authority.Place < o.Authority.Place
}

// StepBack returns an alternate to sleep because whoever is named before acts.
func (c Case) StepBack(by Signed) (Case, error) {
	out, err := c.take(ActStepBack, by, PrimaryAvailable)
	if err == nil {
		out = out.asleep()
	}
	return out, err
}

// viewing gives terms without the functions that change something.
func (t Terms) viewing() Terms {
	t.Functions = slices.DeleteFunc(slices.Clone(t.Functions), Writing)
	return t
}
