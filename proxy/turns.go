package proxy

import (
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// Further states.
const (
	// StateProposed has one of two signatures: nothing is open (FX-33).
	StateProposed State = "proposed"
	// StateBereaved has what there was until the patient died, for some time, and
	// nothing new (LC-23).
	StateBereaved State = "bereaved"
)

// Further acts.
const (
	ActPropose Act = "propose"
	ActCosign  Act = "cosign"
	ActRipen   Act = "ripen"
	ActFree    Act = "free"
	ActReview  Act = "review"
	ActMourn   Act = "mourn"
	ActDispute Act = "dispute"
	ActSettle  Act = "settle"
	ActYield   Act = "yield"
	ActMerge   Act = "merge"
	ActCarry   Act = "carry"
	ActUnmerge Act = "unmerge"
	ActHandOn  Act = "hand-on"
	ActVouch   Act = "vouch"
	ActEnact   Act = "enact"
	ActAdopt   Act = "adopt"
)

// Further reasons why an access rests.
const (
	// GuardianAppointed: a court has put a guardian in the agent's place (LC-18).
	GuardianAppointed = "guardian-appointed"
	// PatientMerged: two records became one, and a person looks (LC-27).
	PatientMerged = "patient-merged"
	// MergedAway: the record is another one now.
	MergedAway = "merged-away"
	// CustodianChanged: another organisation keeps the record, and the patient has
	// not said yes to it (LC-28).
	CustodianChanged = "custodian-changed"
)

// turns are the transitions that the law, a court, a feed or two people bring.
func turns() []Transition {
	open := []State{StateConfirmed, StateActive}
	return []Transition{
		{ActPropose, []State{StateVerified, StateProposed, StateActive}, StateProposed, parental},
		{ActCosign, []State{StateProposed}, StateConfirmed, parental},
		{ActRipen, []State{StateActive}, "", parental},
		{ActFree, alive(), StateEnded, minor},
		{ActReview, []State{StateActive}, "", representing},
		{ActMourn, []State{StateActive}, StateBereaved, agreed},
		{ActRevive, []State{StateBereaved}, StateActive, agreed},
		{ActDispute, []State{StateActive}, "", representing},
		{ActSettle, []State{StateActive}, "", disputed},
		{ActYield, open, StateSuspended, representing},
		{ActMerge, slices.DeleteFunc(alive(), func(s State) bool { return s == StateInvited }), StateSuspended, nil},
		{ActUnmerge, []State{StateSuspended}, "", nil},
		{ActHandOn, []State{StateActive}, "", agreed},
		{ActVouch, []State{StateAccount}, "", nil},
		{ActEnact, []State{StateProofed, StateVerified, StateProposed, StateConfirmed, StateActive, StateSuspended}, "", byInstrument},
	}
}

func minor(c Case) string {
	if c.Ward.Adult.IsZero() {
		return "proxy-not-minor"
	}
	return ""
}

func parental(c Case) string {
	if code := minor(c); code != "" {
		return code
	}
	return agreed(c)
}

func byInstrument(c Case) string {
	if c.Basis != BasisRepresentative {
		return "proxy-by-patient"
	}
	return ""
}

func representing(c Case) string {
	if c.Basis != BasisRepresentative {
		return "proxy-by-patient"
	}
	return agreed(c)
}

func disputed(c Case) string {
	if c.Disputed.Zero() {
		return "proxy-not-disputed"
	}
	return ""
}

// Writing reports whether a portal function changes something.
func Writing(function string) bool { return function != "download" && function != "billing" }

// Granted gives the terms that are in force: while agent and patient disagree nothing
// can be changed, and all can be read as before (LC-17). Who must act together with
// another only reads alone (FX-30).
func (c Case) Granted() Terms {
	if !c.Disputed.Zero() || c.Authority.Joint {
		return c.Terms.viewing()
	}
	return c.Terms
}

// Dispute notes that a patient and an agent, or a member of staff for them, do not
// agree (LC-17); Settle that they do again.
func (c Case) Dispute(by Signed) (Case, error) {
	if !c.Disputed.Zero() {
		return c, errs.New(errs.Conflict, "proxy-step", "This step does not fit where things stand. Somebody may have been faster.")
	}
	out, err := c.take(ActDispute, by, "")
	if err == nil {
		out.Disputed = by
	}
	return out, err
}

// Settle ends a dispute.
func (c Case) Settle(by Signed) (Case, error) {
	out, err := c.take(ActSettle, by, "")
	if err == nil {
		out.Disputed = Signed{}
	}
	return out, err
}

// Review gives the access of a representative a later day on which it is looked at
// again, without a gap (LC-14). A springing one needs two clinicians; ready says
// that the last of them signed. Errors: errs.Forbidden with code
// proxy-same-reviewer, proxy-authority-over; errs.Invalid as of Confirm.
func (c Case) Review(until time.Time, by Signed) (out Case, ready bool, err error) {
	if slices.ContainsFunc(c.Looked, func(s Signed) bool { return s.By == by.By }) {
		return c, false, errs.New(errs.Forbidden, "proxy-same-reviewer", "A second clinician must agree.")
	}
	if !c.Authority.Live(by.At) {
		return c, false, errs.New(errs.Forbidden, "proxy-authority-over", "The instrument is no longer in force.")
	}
	if len(c.Looked) > 0 && until.After(c.LookedUntil) {
		until = c.LookedUntil
	}
	for _, end := range []time.Time{c.Authority.Ends, c.Ward.Adult} {
		if !end.IsZero() && until.After(end) {
			until = end.Add(-time.Microsecond)
		}
	}
	t := c.Terms
	t.Until = until
	if err = t.valid(by.At); err != nil {
		return c, false, err
	}
	if out, err = c.take(ActReview, by, ""); err != nil {
		return c, false, err
	}
	out.Looked, out.LookedUntil = append(slices.Clone(c.Looked), by), until
	if c.Authority.Trigger == TriggerCapacity && len(out.Looked) < 2 {
		return out, false, nil
	}
	out.Looked, out.LookedUntil, out.Prompted = nil, time.Time{}, 0
	out.Terms, out.Authority.Reviews = t, until
	return out, true, nil
}

// Yield lets the access of an agent rest because a court has appointed a guardian
// (LC-18).
func (c Case) Yield(by Signed) (Case, error) { return c.take(ActYield, by, GuardianAppointed) }

// Apart is what an access gave before its record became one with another.
type Apart struct {
	Terms  Terms  `json:"terms"`
	Before *Terms `json:"before,omitempty"`
}

// merged reports whether the access rests because two records became one.
func (c Case) merged() bool {
	w := c.Why()
	return c.State == StateSuspended && c.Was != "" && (w == PatientMerged || w == MergedAway)
}

// Merge lets an access rest because its record became one with another (LC-27);
// other is the case of the other record that it goes with, if any. Errors:
// errs.Conflict when it rests because of a merge already; those of the machine.
func (c Case) Merge(reason, other string, by Signed) (Case, error) {
	if c.merged() {
		return c, errs.New(errs.Conflict, "proxy-step", "This step does not fit where things stand. Somebody may have been faster.")
	}
	out, err := c.take(ActMerge, by, reason)
	if err != nil {
		return c, err
	}
	out.Was, out.WasWhy, out.MergedWith = c.State, "", other
	if c.State == StateSuspended || c.State == StateBereaved {
		out.WasWhy = c.Why()
	}
	return out, nil
}

// asBefore takes an access out of the rest of a merge, to the state and the reason
// from before.
func (c Case) asBefore(act Act, by Signed) (Case, error) {
	out, err := c.take(act, by, c.WasWhy)
	if err != nil {
		return c, err
	}
	out.State = c.Was
	if out.State == StateActive && agreed(out) != "" {
		return c, errs.New(errs.Forbidden, agreed(out), "Something that must come before this step is missing.")
	}
	out.Steps[len(out.Steps)-1].To = out.State
	return out.parted(), nil
}

// parted forgets what a merge must know to be taken back.
func (c Case) parted() Case {
	c.Was, c.WasWhy, c.Apart, c.MergedWith = "", "", nil, ""
	return c
}

// Meet narrows a resting access to what two records both gave: the intersection of
// functions, kinds and time, also of what is given again when a death is taken back.
func (c Case) Meet(other Terms) Case {
	c.Apart = &Apart{Terms: c.Terms, Before: c.Before}
	c.Terms = c.Terms.meet(other)
	if c.Before != nil {
		before := c.Before.meet(other)
		c.Before = &before
	}
	return c
}

func (t Terms) meet(other Terms) Terms {
	keep := func(mine, theirs []string) []string {
		return slices.DeleteFunc(slices.Clone(mine), func(x string) bool { return !slices.Contains(theirs, x) })
	}
	t.Functions, t.Kinds = keep(t.Functions, other.Functions), keep(t.Kinds, other.Kinds)
	if other.Until.Before(t.Until) {
		t.Until = other.Until
	}
	return t
}

// Carried reports whether the case began by a merge of records.
func (c Case) Carried() bool { return len(c.Steps) > 0 && c.Steps[0].Act == ActCarry }

// Carry begins the case of the merged record for somebody who had access to the
// record that went into it. It rests until a person has looked; then it goes on as it
// was, or rests for the reason it had, a death among them.
func (c Case) Carry(id, patient string, by Signed) Case {
	out := c.parted()
	out.ID, out.Patient, out.Version, out.Secret = id, patient, 0, ""
	out.RelationID, out.ConsentID, out.Rested, out.Next, out.Barred = "", "", "", "", nil
	out.MergedWith, out.Updated = c.ID, by.At
	why := PatientMerged
	switch {
	case c.DeathNoted():
		why = PatientDied
	case c.State == StateSuspended:
		why = c.Why()
	}
	out.Steps = []Step{{Act: ActCarry, To: c.State, Signed: by, Reason: why}}
	if slices.Contains([]State{StateConfirmed, StateActive, StateSuspended, StateBereaved}, c.State) {
		out.Was, out.State = c.State, StateSuspended
		if why != PatientMerged {
			out.WasWhy = why
		}
		out.Steps = append(out.Steps, Step{Act: ActMerge, From: c.State, To: StateSuspended, Signed: by, Reason: PatientMerged})
	}
	return out
}

// Unmerge puts an access back as it was before two records became one. Errors:
// errs.Conflict when it rests for another reason.
func (c Case) Unmerge(by Signed) (Case, error) {
	if !c.merged() {
		return c, errs.New(errs.Conflict, "proxy-step", "This step does not fit where things stand. Somebody may have been faster.")
	}
	out, err := c.asBefore(ActUnmerge, by)
	if err == nil && c.Apart != nil {
		out.Terms, out.Before = c.Apart.Terms, c.Apart.Before
	}
	return out, err
}

// HandOn notes that another organisation keeps the record, and the agreement goes
// on with it (LC-28).
func (c Case) HandOn(by Signed) (Case, error) { return c.take(ActHandOn, by, "") }

// Vouch is proofing without two papers: a trusted referee on the staff knows the
// person, another member of staff agrees (LC-02). ready says that the second one
// did: then the identity is proofed. Errors: errs.Invalid with code proxy-reason;
// errs.Forbidden with code proxy-self, proxy-same-reviewer.
func (c Case) Vouch(reason string, by Signed) (out Case, ready bool, err error) {
	switch {
	case !slices.Contains(VouchReasons(), reason):
		return c, false, errs.New(errs.Invalid, "proxy-reason", "Choose a reason.")
	case by.By == c.PersonID:
		return c, false, errs.New(errs.Forbidden, "proxy-self", "Nobody proofs the own identity.")
	case c.Vouched.By == by.By:
		return c, false, errs.New(errs.Forbidden, "proxy-same-reviewer", "Another member of staff must agree.")
	}
	if c.Vouched.Zero() {
		if out, err = c.take(ActVouch, by, reason); err == nil {
			out.Vouched = by
		}
		return out, false, err
	}
	if out, err = c.take(ActProof, by, reason); err == nil {
		out.Proofing = Proofing{Signed: by, Method: MethodReferee}
	}
	return out, err == nil, err
}

// VouchReasons are why somebody cannot show two papers.
func VouchReasons() []string { return []string{"no-papers", "cannot-come", "papers-lost"} }

// How an identity was proofed.
const (
	MethodInPerson = "in-person"
	// MethodRemote: a proofing service did it, and told us.
	MethodRemote = "remote"
	// MethodBefore: before there was a case; whoever adopts it says so.
	MethodBefore = "before"
	// MethodReferee: a trusted referee vouched.
	MethodReferee = "trusted-referee"
)

// Remote notes the outcome of a proofing service, told by the account of its
// connector. evidence is the service's own reference. Errors: errs.Invalid with
// code proxy-evidence.
func (c Case) Remote(evidence string, by Signed) (Case, error) {
	if evidence == "" || len(evidence) > maxName {
		return c, errs.New(errs.Invalid, "proxy-evidence", "Name the reference of the proofing service.")
	}
	out, err := c.take(ActProof, by, "")
	if err == nil {
		out.Proofing = Proofing{Signed: by, Method: MethodRemote, Evidence: evidence}
	}
	return out, err
}
