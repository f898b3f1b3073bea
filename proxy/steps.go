package proxy

import (
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// Figures of the life cycle.
const (
	// InviteLife is how long an invitation can be accepted (LC-01).
	InviteLife = 7 * 24 * time.Hour
	// InviteTries is how many wrong answers an invitation survives.
	InviteTries = 5
	// Wait is how long a new grant can be undone before it begins.
	Wait = 10 * time.Minute
	// LongestMonths is the longest a designated proxy has access (SP-10).
	LongestMonths = 12
	maxName       = 120
)

// Prompts are the days before an end on which a renewal is asked for (LC-07).
func Prompts() []int { return []int{30, 14, 3} }

// ReviewPrompts are the days before the review of a representative's access on which
// the people concerned are warned (LC-14).
func ReviewPrompts() []int { return []int{7, 2} }

// prompts are those of the case.
func (c Case) prompts() []int {
	switch {
	case !c.Cosigned.Zero() || c.Basis == BasisDesignated:
		return Prompts()
	default:
		return ReviewPrompts()
	}
}

// Relations lists the relationships that a patient can choose from.
func Relations() []string {
	return []string{"SPS", "DOMPART", "DAUC", "SONC", "CHILD", "MTH", "FTH", "PRN", "SIS", "BRO", "SIB", "GRNDCHILD", "EXT", "FRND", "NBOR"}
}

// Invitation is what an inviter says.
type Invitation struct {
	Name, Email, Relationship string
}

// Invite begins a case. Errors: errs.Invalid with code proxy-name, proxy-email
// or proxy-relationship.
func Invite(in Invitation, tenant, id, patient string, by Signed) (Case, error) {
	name := strings.Join(strings.Fields(in.Name), " ")
	if name == "" || len(name) > maxName {
		return Case{}, errs.New(errs.Invalid, "proxy-name", "Write the person's name.")
	}
	at, err := mail.ParseAddress(in.Email)
	if err != nil || at.Address != strings.TrimSpace(in.Email) {
		return Case{}, errs.New(errs.Invalid, "proxy-email", "Write one e-mail address.")
	}
	if !slices.Contains(Relations(), in.Relationship) {
		return Case{}, errs.New(errs.Invalid, "proxy-relationship", "Choose who the person is.")
	}
	c := Case{
		Tenant: tenant, ID: id, Patient: patient, State: StateInvited, Basis: BasisDesignated, Updated: by.At,
		Name: name, Email: at.Address, Relationship: in.Relationship, Invited: by, InviteEnds: by.At.Add(InviteLife),
	}
	c.Steps = []Step{{Act: ActInvite, To: StateInvited, Signed: by}}
	return c, nil
}

// SameAddress reports whether an e-mail address is the one invited: case and
// outer spaces do not count.
func (c Case) SameAddress(email string) bool {
	return strings.EqualFold(strings.TrimSpace(email), c.Email)
}

// Open reports whether the invitation can be accepted now.
func (c Case) Open(now time.Time) bool {
	return c.State == StateInvited && c.Secret != "" && c.Tries < InviteTries && now.Before(c.InviteEnds)
}

// Resend renews the invitation under another secret.
func (c Case) Resend(secret string, by Signed) (Case, error) {
	out, err := c.take(ActResend, by, "")
	if err == nil {
		out.Secret, out.Tries, out.InviteEnds = secret, 0, by.At.Add(InviteLife)
	}
	return out, err
}

// Accept gives the case an account. The link is used up.
func (c Case) Accept(person string, by Signed) (Case, error) {
	out, err := c.take(ActAccept, by, "")
	if err == nil {
		out.PersonID, out.Secret = person, ""
	}
	return out, err
}

// Proof notes that staff saw the person and two documents. Errors: errs.Invalid
// with code proxy-documents; errs.Forbidden when it is the person itself.
func (c Case) Proof(p Proofing) (Case, error) {
	if len(p.Documents) != 2 || p.Documents[0] == p.Documents[1] ||
		slices.ContainsFunc(p.Documents, func(d string) bool { return !slices.Contains(Documents(), d) }) {
		return c, errs.New(errs.Invalid, "proxy-documents", "Two different documents must have been seen.")
	}
	if p.By == c.PersonID {
		return c, errs.New(errs.Forbidden, "proxy-self", "Nobody proofs the own identity.")
	}
	out, err := c.take(ActProof, p.Signed, "")
	if err == nil {
		out.Proofing = p
	}
	return out, err
}

// Documents lists the kinds of documents that count in person.
func Documents() []string {
	return []string{"passport", "driving-licence", "identity-card", "residence-card", "insurance-card"}
}

// Reject ends a case that staff cannot accept; the reason is a stable code.
func (c Case) Reject(reason string, by Signed) (Case, error) {
	return c.close(ActReject, by, reason)
}

// Confirm is the patient's consent, or for a representative the activation by
// staff. It begins at starts. Errors: errs.Invalid with code proxy-end-missing,
// proxy-end-late, proxy-nothing; those of the machine.
func (c Case) Confirm(t Terms, starts time.Time, by Signed) (Case, error) {
	if err := t.valid(starts); err != nil {
		return c, err
	}
	if c.Ward.Band(starts) == BandTeen || c.Ward.Band(starts) == BandAdult {
		return c, errs.New(errs.Forbidden, "proxy-two-sign", "The teenager and the parent must both sign.")
	}
	if c.Basis == BasisDesignated {
		c.Confirmed = by
	} else if code := c.Effective(by.At); code != "" {
		return c, errs.New(errs.Forbidden, code, "The authority is not in effect.")
	}
	reason := ""
	if c.Alternate() {
		reason = PrimaryUnavailable
	}
	out, err := c.take(ActConfirm, by, reason)
	if err == nil {
		out.Terms, out.Starts, out.Prompted, out.Asked = t, starts, 0, Signed{}
	}
	return out, err
}

func (t Terms) valid(from time.Time) error {
	switch {
	case t.Until.IsZero():
		return errs.New(errs.Invalid, "proxy-end-missing", "Access needs an end.")
	case !t.Until.After(from):
		return errs.New(errs.Invalid, "proxy-end-past", "The end must lie ahead.")
	case t.Until.After(from.AddDate(0, LongestMonths, 1)):
		return errs.New(errs.Invalid, "proxy-end-late", "The end may be twelve months ahead at most.")
	case len(t.Kinds) == 0 && len(t.Functions) == 0:
		return errs.New(errs.Invalid, "proxy-nothing", "Nothing is chosen.")
	}
	return nil
}

// Within reports whether terms give nothing that others do not give, and no longer.
func (t Terms) Within(other Terms) bool {
	in := func(all, of []string) bool {
		return !slices.ContainsFunc(all, func(name string) bool { return !slices.Contains(of, name) })
	}
	return in(t.Kinds, other.Kinds) && in(t.Functions, other.Functions) && !t.Until.After(other.Until)
}

// Undo takes a consent back before it began.
func (c Case) Undo(by Signed) (Case, error) {
	out, err := c.take(ActUndo, by, "")
	if err == nil {
		out.Confirmed, out.Cosigned, out.Terms, out.Starts = Signed{}, Signed{}, Terms{}, time.Time{}
		if out.Authority.Verified() {
			out.State = StateVerified
		}
	}
	return out, err
}

// Begin notes that the access has begun, Expire that it has ended.
func (c Case) Begin(at time.Time) (Case, error) {
	return c.take(ActBegin, Signed{By: Clock, At: at}, "")
}

// Expire notes that the agreed end has come.
func (c Case) Expire(at time.Time) (Case, error) {
	reason := ""
	if c.Ward.Band(at) == BandAdult {
		reason = "came-of-age"
	}
	return c.close(ActExpire, Signed{By: Clock, At: at}, reason)
}

// Clock is who takes steps that nobody takes.
const Clock = "clock"

// Change gives other terms to a running access (LC-06), Renew a later end
// (LC-08).
func (c Case) Change(act Act, t Terms, by Signed) (Case, error) {
	if act != ActChange && act != ActRenew {
		return c, errs.New(errs.Internal, "proxy-act", "Not a change of terms.")
	}
	if err := t.valid(by.At); err != nil {
		return c, err
	}
	out, err := c.take(act, by, "")
	if err != nil {
		return c, err
	}
	if out.Basis == BasisDesignated {
		out.Confirmed = by
	}
	out.State, out.Terms, out.Prompted, out.Asked = StateActive, t, 0, Signed{}
	return out, nil
}

// Ask notes that the proxy wishes a renewal; only the patient can give it.
func (c Case) Ask(by Signed) (Case, error) {
	out, err := c.take(ActAsk, by, "")
	if err == nil {
		out.Asked = by
	}
	return out, err
}

// Pause and Resume: everything stays as agreed, and nothing is open between.
func (c Case) Pause(by Signed, reason string) (Case, error) { return c.take(ActPause, by, reason) }

// Resume opens what was paused. After a merge an access goes on as it was before: one
// that rested then for another reason rests for that, and one that a death narrowed
// stays narrow. Errors: errs.Forbidden with code proxy-patient-died where it rests
// because of a death, which only Revive takes back; those of the machine.
func (c Case) Resume(by Signed) (Case, error) {
	switch {
	case c.Mourned():
		return c, errs.New(errs.Forbidden, "proxy-patient-died", "A death was noted: it must be taken back first.")
	case !c.merged():
		return c.take(ActResume, by, "")
	}
	return c.asBefore(ActResume, by)
}

// Revoke ends the access for the patient, Resign for the proxy, Part because the
// relationship ended.
func (c Case) Revoke(by Signed, reason string) (Case, error) { return c.close(ActRevoke, by, reason) }

// Resign ends the access because the proxy wishes so.
func (c Case) Resign(by Signed) (Case, error) { return c.close(ActResign, by, "") }

// Part ends the access with the relationship (LC-19).
func (c Case) Part(by Signed) (Case, error) { return c.close(ActPart, by, "relationship-ended") }

// Restore takes a springing access back to sleep: the patient can decide again
// (LC-15).
func (c Case) Restore(by Signed, reason string) (Case, error) {
	out, err := c.take(ActRestore, by, reason)
	if err == nil {
		out = out.asleep()
	}
	return out, err
}

// Lapse is Restore by the clock: the review of a determination did not come
// (LC-14).
func (c Case) Lapse(at time.Time) (Case, error) {
	out, err := c.take(ActLapse, Signed{By: Clock, At: at}, "review-missed")
	if err == nil {
		out = out.asleep()
	}
	return out, err
}

// asleep gives a springing access that waits for two clinicians again.
func (c Case) asleep() Case {
	c.Determined, c.Terms, c.Starts, c.Authority.Reviews = nil, Terms{}, time.Time{}, time.Time{}
	c.Looked, c.LookedUntil, c.Disputed, c.Prompted = nil, time.Time{}, Signed{}, 0
	c.Unavailable, c.Before = Signed{}, nil
	return c.parted()
}

func (c Case) close(act Act, by Signed, reason string) (Case, error) {
	out, err := c.take(act, by, reason)
	if err == nil {
		out.Secret, out.Due = "", time.Time{}
	}
	return out, err
}

// Prompt gives the renewal prompt that is due, in days before the end; ok is
// false when none is.
func (c Case) Prompt(now time.Time) (days int, ok bool) {
	if c.At(now) != StateActive || c.Terms.Until.IsZero() {
		return 0, false
	}
	for _, d := range slices.Backward(c.prompts()) {
		if !now.Before(c.Terms.Until.AddDate(0, 0, -d)) {
			return d, c.Prompted == 0 || d < c.Prompted
		}
	}
	return 0, false
}

// NextDue gives when the clock has to look at the case again; zero: never.
func (c Case) NextDue(now time.Time) time.Time {
	if c.State == StateConfirmed {
		// That it has begun is noted, even when it began at once.
		return c.Starts
	}
	if c.State == StateRequested {
		return c.askedUntil()
	}
	switch c.At(now) {
	case StateActive, StateSuspended, StateBereaved:
	default:
		return time.Time{}
	}
	due := c.Terms.Until.Add(time.Microsecond)
	if turn := c.Ward.Turn(now); c.Ward.Band(now) == BandChild && turn.Before(due) {
		due = turn
	}
	if c.At(now) == StateActive {
		for _, d := range c.prompts() {
			if at := c.Terms.Until.AddDate(0, 0, -d); at.After(now) && at.Before(due) {
				due = at
			}
		}
	}
	return due
}
