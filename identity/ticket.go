package identity

import (
	"context"
	"time"
)

// TicketKind says what a ticket is for.
type TicketKind string

// The kinds of tickets.
const (
	// TicketApproval is of a log-in that waits for another device of the person.
	TicketApproval TicketKind = "approval"
	// TicketBedside is of a patient who sets up a way to sign in before a witness.
	TicketBedside TicketKind = "bedside"
)

// TicketState is where a ticket stands.
type TicketState string

// The states of a ticket. It goes on from TicketOpen, TicketTaken, TicketMade and
// TicketSeen; the others are its ends.
const (
	TicketOpen TicketState = "open"
	// TicketTaken: a device has typed the code of an enrolment; TicketMade: what to sign
	// in with was chosen on it; TicketSeen: the first of two witnesses has confirmed.
	TicketTaken    TicketState = "taken"
	TicketMade     TicketState = "made"
	TicketSeen     TicketState = "seen"
	TicketApproved TicketState = "approved"
	TicketDenied   TicketState = "denied"
	TicketSpent    TicketState = "spent"
)

// Ticket is what one device waits for and another one answers.
type Ticket struct {
	Tenant string
	// ID is a keyed hash of what the waiting device, or the person, was given.
	ID       string
	Kind     TicketKind
	PersonID string
	State    TicketState
	Created  time.Time
	Ends     time.Time
	// Session, Browser and Device are the hashes of the session that began it, of its
	// browser and of its device; Agent and Network are what that device says it is.
	Session, Browser, Device string
	Agent, Network           string
	// Number is the keyed hash of the number that is to be typed on the other device.
	Number string
	// Way and Address are how and where a code was sent.
	Way     FactorKind
	Address string
	// Answered is the hash of the session, or of the browser, that answered it.
	Answered string
	// Bedside is what an enrolment before a witness holds, nil for another kind.
	Bedside *Bedside
}

// Pending reports whether the state is none of the ends.
func (s TicketState) Pending() bool {
	return s == TicketOpen || s == TicketTaken || s == TicketMade || s == TicketSeen
}

// Tickets is the port of tickets.
type Tickets interface {
	// AddTicket stores a new one. Errors: errs.Conflict when its ID is taken.
	AddTicket(ctx context.Context, t Ticket) error
	// TicketByID gives one, over or not. Errors: errs.NotFound.
	TicketByID(ctx context.Context, tenant, id string) (Ticket, error)
	// OpenTickets gives those of a person that are pending and end after now, the newest
	// first.
	OpenTickets(ctx context.Context, tenant, personID string, kind TicketKind, now time.Time) ([]Ticket, error)
	// MoveTicket stores t if the ticket is still in the state from, and reports whether
	// it was: of answers at the same time one wins.
	MoveTicket(ctx context.Context, t Ticket, from TicketState) (bool, error)
}
