package lifecycle

import "slices"

// Row is one event of a life cycle (A.5), with the page or the clock that brings
// it about.
type Row struct {
	// ID is the row of the requirements, such as LC-01.
	ID string
	// Event says what happens.
	Event string
	// Who can: patient, proxy, staff, clock, feed (a registration system), service (a
	// proofing service) or operator (at the command line).
	Who string
	// Path is the page, with {id} for the case; empty for the clock and the operator.
	Path string
}

// Rows lists what this server can do, in the order of the requirements. What is
// not here cannot be done yet.
func Rows() []Row { return slices.Concat(agreedRows(), instrumentRows(), lawRows()) }

// agreedRows are of people whom a patient lets in.
func agreedRows() []Row {
	return []Row{
		{"LC-01", "invite a person", "patient", "/people/invite"},
		{"LC-01", "send the invitation again", "patient", "/people/{id}/resend"},
		{"LC-01", "put a person on a patient's list", "staff", "/staff/people/register"},
		{"LC-01", "take over a person from before there was a list", "staff", "/staff/people/adopt"},
		{"LC-02", "accept with an own account", "proxy", "/invitation/{secret}"},
		{"LC-02", "proof the identity in person", "staff", "/staff/people/{id}/proof"},
		{"LC-02", "vouch for somebody without papers, by two", "staff", "/staff/people/{id}/vouch"},
		{"LC-02", "proof the identity at a distance", "service", ProofingPath},
		{"LC-02", "turn the person away", "staff", "/staff/people/{id}/reject"},
		{"LC-03", "confirm with functions, kinds and an end", "patient", "/people/{id}/share"},
		{"LC-03", "take it back within ten minutes", "patient", "/people/{id}/undo"},
		{"LC-03", "begin after ten minutes", "clock", ""},
		{"LC-04", "ask to help somebody, with a paper", "proxy", "/helping/request"},
		{"LC-04", "look for the patient, who is asked first", "clock", ""},
		{"LC-04", "let somebody go on who asked", "patient", "/people/{id}/welcome"},
		{"LC-04", "say no to who asked", "patient", "/people/{id}/refuse"},
		{"LC-04", "let somebody go on whose patient cannot be asked", "staff", "/staff/people/{id}/admit"},
		{"LC-04", "pass it on to staff without an answer, and end it", "clock", ""},
		{"LC-05", "put in a picture of the paper", "proxy", "/helping/{id}/papers"},
		{"LC-05", "scan a paper, and read what was put in", "staff", "/staff/people/{id}/papers"},
		{"LC-05", "put in a legal instrument", "staff", "/staff/people/{id}/attest"},
		{"LC-05", "verify it by a second person, by a checklist", "staff", "/staff/people/{id}/verify"},
		{"LC-05", "begin an access on an instrument in effect", "staff", "/staff/people/{id}/activate"},
		{"LC-05", "begin the access of an alternate, when whoever is named before cannot act", "staff", "/staff/people/{id}/activate"},
		{"LC-06", "share less or more", "patient", "/people/{id}/share"},
		{"LC-06", "pause", "patient", "/people/{id}/pause"},
		{"LC-06", "go on after a pause", "patient", "/people/{id}/resume"},
		{"LC-07", "ask for a renewal 30, 14 and 3 days before the end", "clock", ""},
		{"LC-07", "wish for a renewal", "proxy", "/helping/{id}/ask"},
		{"LC-08", "renew: the same, less, or stop", "patient", "/people/{id}/renew"},
		{"LC-09", "end at the agreed time", "clock", ""},
		{"LC-10", "revoke, also quietly", "patient", "/people/{id}/revoke"},
		{"LC-10", "end it because the patient says so: in person, by phone, on paper", "staff", "/staff/people/{id}/dictated"},
		{"LC-10", "shut a person out for good", "patient", "/people/{id}/block"},
		{"LC-10", "shut a person out who never had access", "patient", "/people/block"},
		{"LC-10", "take that back", "patient", "/people/{id}/unblock"},
		{"LC-11", "resign", "proxy", "/helping/{id}/resign"},
		{"LC-12", "say that something feels wrong", "patient", "/people/{id}/worry"},
		{"LC-12", "hold", "staff", "/staff/people/{id}/hold"},
		{"LC-12", "release a hold", "staff", "/staff/people/{id}/release"},
	}
}

// instrumentRows are of people who act by a legal instrument or an order.
func instrumentRows() []Row {
	return []Row{
		{"LC-13", "find that the patient cannot decide, by two clinicians", "staff", "/staff/people/{id}/determine"},
		{"LC-14", "warn the agent and the team 7 and 2 days before the review", "clock", ""},
		{"LC-14", "look at it again, by two clinicians, without a gap", "staff", "/staff/people/{id}/review"},
		{"LC-14", "return to sleep when the review did not come", "clock", ""},
		{"LC-15", "find that the patient can decide again", "staff", "/staff/people/{id}/restore"},
		{"LC-16", "choose a short time until the review", "staff", "/staff/people/{id}/determine"},
		{"LC-17", "say that agent and patient do not agree", "patient", "/people/{id}/dispute"},
		{"LC-17", "say so as the agent", "proxy", "/helping/{id}/dispute"},
		{"LC-17", "say so for them", "staff", "/staff/people/{id}/dispute"},
		{"LC-17", "settle it", "staff", "/staff/people/{id}/settle"},
		{"LC-17", "ask for something together, the first of two", "proxy", "/helping/{id}/together"},
		{"LC-17", "say yes to it, the second of two", "proxy", "/helping/{id}/agree"},
		{"LC-17", "say no to it", "proxy", "/helping/{id}/decline"},
		{"LC-17", "do what two asked for", "staff", "/staff/matters/{id}"},
		{"LC-18", "put in a guardian with a court date", "staff", "/staff/people/{id}/attest"},
		{"LC-18", "begin the access of a guardian, and let agents rest", "staff", "/staff/people/{id}/activate"},
		{"LC-18", "let an agent go on", "staff", "/staff/people/{id}/release"},
		{"LC-19", "end an access with the relationship", "staff", "/staff/people/{id}/part"},
		{"LC-19", "end it because the registration says so", "feed", FeedPath},
	}
}

// lawRows are of what age, death and the registration change.
func lawRows() []Row {
	return []Row{
		{"LC-20", "put in the papers of a parent of a minor", "staff", "/staff/people/{id}/attest"},
		{"LC-20", "give a parent less on the birthday", "clock", ""},
		{"LC-20", "set up an own account with a teenager who has none", "staff", "/staff/bedside"},
		{"LC-20", "choose what a parent may see, the first signature", "patient", "/people/{id}/share"},
		{"LC-20", "sign too, the second signature", "proxy", "/helping/{id}/cosign"},
		{"LC-21", "end the access of a parent when the child comes of age", "clock", ""},
		{"LC-22", "end it before, by law", "staff", "/staff/people/{id}/free"},
		{"LC-23", "note a death, by two: what there was can still be read", "staff", "/staff/people/{id}/died"},
		{"LC-23", "end what there was to read after a death", "clock", ""},
		{"LC-23", "report a death from the registration", "feed", FeedPath},
		{"LC-24", "take a death back that was noted in error", "staff", "/staff/people/{id}/revive"},
		{"LC-25", "begin the access of an executor after a death", "staff", "/staff/people/{id}/activate"},
		{"LC-26", "withdraw a template: mandate consent withdraw-template", "operator", ""},
		{"LC-26", "apply a changed jurisdiction pack: what is less holds at once", "clock", ""},
		{"LC-27", "merge two records, and take it back", "feed", FeedPath},
		{"LC-27", "let an access go on after a merge", "staff", "/staff/people/{id}/release"},
		{"LC-28", "hand agreements on to another custodian, or ask anew", "feed", FeedPath},
		{"LC-28", "agree to the new custodian", "patient", "/people/{id}/resume"},
		{"LC-29", "end the sessions and apps of an account that others use", "staff", "/staff/people/{id}/compromised"},
		{"LC-30", "mark an access as entered in error", "staff", "/staff/people/{id}/void"},
	}
}
