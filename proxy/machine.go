package proxy

import (
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// Act is what moves a case.
type Act string

// The acts.
const (
	ActInvite    Act = "invite"
	ActResend    Act = "resend"
	ActAccept    Act = "accept"
	ActProof     Act = "proof"
	ActReject    Act = "reject"
	ActAttest    Act = "attest"
	ActVerify    Act = "verify"
	ActConfirm   Act = "confirm"
	ActUndo      Act = "undo"
	ActBegin     Act = "begin"
	ActChange    Act = "change"
	ActRenew     Act = "renew"
	ActAsk       Act = "ask"
	ActPause     Act = "pause"
	ActResume    Act = "resume"
	ActExpire    Act = "expire"
	ActRevoke    Act = "revoke"
	ActResign    Act = "resign"
	ActPart      Act = "part"
	ActDetermine Act = "determine"
	ActRestore   Act = "restore"
	ActLapse     Act = "lapse"
	ActReport    Act = "report"
	ActDie       Act = "die"
	ActRevive    Act = "revive"
	ActVoid      Act = "void"
)

// Transition is one arrow of the machine.
type Transition struct {
	Act  Act
	From []State
	// To is empty when the case stays where it is.
	To State
	// Needs is what must be true of the case besides; nil needs nothing. It
	// gives the code of what is missing.
	Needs func(Case) string
}

// alive are the states before an end.
func alive() []State {
	return []State{StateInvited, StateAccount, StateProofed, StateVerified, StateProposed, StateConfirmed, StateActive, StateSuspended, StateBereaved}
}

// Alive lists the states before an end.
func Alive() []State { return alive() }

// Machine is all transitions there are.
func Machine() []Transition {
	running := []State{StateConfirmed, StateActive, StateSuspended, StateBereaved}
	return append([]Transition{
		{ActResend, []State{StateInvited}, "", nil},
		{ActAccept, []State{StateInvited}, StateAccount, nil},
		{ActProof, []State{StateAccount}, StateProofed, nil},
		{ActReject, []State{StateAccount, StateProofed}, StateEnded, nil},
		{ActAttest, []State{StateProofed}, "", proofed},
		// What was put in wrongly is put in again, and checked again.
		{ActAttest, []State{StateVerified}, StateProofed, proofed},
		{ActVerify, []State{StateProofed}, StateVerified, attested},
		{ActConfirm, []State{StateProofed, StateVerified}, StateConfirmed, agreed},
		{ActUndo, []State{StateConfirmed}, StateProofed, nil},
		{ActBegin, []State{StateConfirmed}, StateActive, agreed},
		{ActChange, []State{StateActive}, "", agreed},
		{ActRenew, []State{StateActive}, "", agreed},
		{ActAsk, []State{StateActive}, "", nil},
		{ActPause, []State{StateActive}, StateSuspended, nil},
		{ActResume, []State{StateSuspended}, StateActive, begun},
		{ActExpire, running, StateExpired, nil},
		{ActRevoke, alive(), StateRevoked, nil},
		{ActResign, slices.Concat([]State{StateAccount, StateProofed, StateVerified, StateProposed}, running), StateEnded, nil},
		{ActPart, slices.Concat([]State{StateAccount, StateProofed, StateVerified, StateProposed}, running), StateEnded, nil},
		{ActDetermine, []State{StateVerified}, "", springing},
		{ActRestore, []State{StateConfirmed, StateActive, StateSuspended}, StateVerified, springing},
		{ActReport, []State{StateConfirmed, StateActive, StateSuspended}, "", nil},
		{ActDie, []State{StateConfirmed, StateActive}, StateSuspended, nil},
		{ActRevive, []State{StateSuspended}, StateActive, begun},
		{ActRevive, []State{StateExpired}, "", nil},
		{ActVoid, slices.Concat(running, []State{StateExpired, StateRevoked}), StateEnded, nil},
		{ActLapse, []State{StateConfirmed, StateActive, StateSuspended}, StateVerified, springing},
	}, slices.Concat(blocking(), turns(), orders(), filing(), requesting())...)
}

func proofed(c Case) string {
	if !c.Proofed() {
		return "proxy-not-proofed"
	}
	return ""
}

func agreed(c Case) string {
	switch {
	case !c.Proofed():
		return "proxy-not-proofed"
	case !c.Agreed():
		return "proxy-not-agreed"
	}
	return ""
}

// begun is agreed of an access that was open once: what rests without ever having
// begun has nothing to go on with.
func begun(c Case) string {
	if c.Starts.IsZero() {
		return "proxy-not-agreed"
	}
	return agreed(c)
}

func attested(c Case) string {
	if c.Authority.Attested.Zero() {
		return "proxy-authority-missing"
	}
	return proofed(c)
}

func springing(c Case) string {
	if c.Authority.Trigger != TriggerCapacity {
		return "proxy-not-springing"
	}
	return ""
}

// next gives the state after an act at a time. Errors: errs.Conflict with code
// proxy-step for an act that there is not in this state, errs.Forbidden with the
// code of what is missing.
func next(c Case, act Act, at time.Time) (State, error) {
	state, early := c.At(at), false
	switch act {
	case ActBegin:
		// The clock notes what has happened, and not before.
		early, state = state != StateActive, c.State
	case ActExpire, ActLapse:
		early, state = state != StateExpired, c.State
	}
	for _, t := range Machine() {
		if early || t.Act != act || !slices.Contains(t.From, state) {
			continue
		}
		if t.Needs != nil {
			if code := t.Needs(c); code != "" {
				return c.State, errs.New(errs.Forbidden, code, "Something that must come before this step is missing.")
			}
		}
		if t.To == "" {
			return state, nil
		}
		return t.To, nil
	}
	return c.State, errs.New(errs.Conflict, "proxy-step", "This step does not fit where things stand. Somebody may have been faster.")
}
