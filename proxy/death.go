package proxy

import (
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// Why an access rests.
const (
	// ByPatient: the patient paused it.
	ByPatient = "by-patient"
	// SafetyHold: something is wrong (LC-12).
	SafetyHold = "safety-hold"
	// PatientDied: two people on the staff say so (LC-23).
	PatientDied = "patient-died"
)

// Report notes that somebody on the staff says that the patient has died.
func (c Case) Report(by Signed) (Case, error) {
	out, err := c.take(ActReport, by, "")
	if err == nil {
		out.Died = by
	}
	return out, err
}

// Die lets an access rest because the patient has died: it can be taken back
// (LC-24).
func (c Case) Die(by Signed) (Case, error) { return c.take(ActDie, by, PatientDied) }

// Mourn narrows an access because the patient has died: what there was can be read
// for some days, the care team can be written to, and nothing new is seen (LC-23).
// No days, a representative who is neither agent nor parent, or an access that has
// not begun: the access rests instead.
func (c Case) Mourn(days int, by Signed) (Case, error) {
	agent := slices.Contains([]string{"HPOWATT", "DPOWATT", "PRN"}, c.Authority.Kind)
	if days <= 0 || c.At(by.At) != StateActive || c.Basis == BasisRepresentative && !agent {
		return c.Die(by)
	}
	out, err := c.take(ActMourn, by, PatientDied)
	if err != nil {
		return c, err
	}
	before := c.Terms
	out.Before = &before
	out.Terms.Functions, out.Terms.DataUntil, out.Terms.Until = []string{"message"}, by.At, by.At.AddDate(0, 0, days)
	return out, nil
}

// Mourned reports whether this access was narrowed or rests because two noted the
// patient's death.
func (c Case) Mourned() bool {
	return c.Why() == PatientDied && (c.State == StateBereaved || c.State == StateSuspended)
}

// DeathNoted reports whether two noted the patient's death and nobody has taken it
// back, also when the days of the access are over since.
func (c Case) DeathNoted() bool {
	for _, step := range slices.Backward(c.Steps) {
		switch {
		case step.Act == ActRevive:
			return false
		case step.Reason == PatientDied:
			return true
		}
	}
	return false
}

// MergedInDeath reports whether records became one after the death was noted: then
// no Consent of before says what can be read once the death is taken back.
func (c Case) MergedInDeath() bool {
	for _, step := range slices.Backward(c.Steps) {
		switch step.Act {
		case ActMerge, ActCarry:
			return true
		case ActMourn, ActDie:
			return false
		}
	}
	return false
}

// Unable reports whether two clinicians find that the patient cannot decide.
func (c Case) Unable(now time.Time) bool {
	return c.Authority.Trigger == TriggerCapacity && len(c.Determined) > 1 && !c.At(now).Over()
}

// Revivable reports whether a death can be taken back here.
func (c Case) Revivable(now time.Time) bool {
	return c.Mourned() || c.At(now) == StateExpired && c.DeathNoted()
}

// Revive takes a death back that was noted in error: the terms of before hold
// again, unless the days of the access are over since. Errors: errs.Conflict when the
// access rests for another reason; those of the machine.
func (c Case) Revive(by Signed) (Case, error) {
	if !c.Revivable(by.At) {
		return c, errs.New(errs.Conflict, "proxy-step", "This step does not fit where things stand. Somebody may have been faster.")
	}
	out, err := c.take(ActRevive, by, "")
	if err != nil {
		return c, err
	}
	out.Died = Signed{}
	if c.Before != nil && out.State != StateExpired {
		out.Terms, out.Before = *c.Before, nil
	}
	return out, nil
}

// Void ends an access that should never have been (LC-30).
func (c Case) Void(by Signed) (Case, error) { return c.close(ActVoid, by, "entered-in-error") }
