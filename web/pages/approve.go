package pages

import (
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

// ApproveWait shows the number that is to be typed on another device of the person.
// Posts to Action: ticket, next.
type ApproveWait struct {
	Frame
	Action string
	// Next is an opaque value posted back, Ticket what the number belongs to.
	Next, Ticket string
	// Number is six digits.
	Number string
	// OtherURL leads back to the other ways.
	OtherURL string
}

// Template names the page.
func (ApproveWait) Template() string { return "approve-wait" }

// Spaced is the number in two groups.
func (p ApproveWait) Spaced() string {
	if len(p.Number) != 6 {
		return p.Number
	}
	return p.Number[:3] + " " + p.Number[3:]
}

// Approve asks on a device that is signed in whether the person signs in on another
// one. Posts to Action: id, number or answer=deny.
type Approve struct {
	Frame
	Action string
	// ID names the log-in; empty: nobody waits.
	ID string
	// Browser and System are those of the other device, Network its address prefix,
	// Country the code of its country; each may be empty.
	Browser, System, Network, Country string
	At                                time.Time
}

// Template names the page.
func (Approve) Template() string { return "approve" }

func (p Approve) titleKey(*words.Catalogue, string) (string, words.Args) {
	if p.ID == "" {
		return "approve.none_title", nil
	}
	return "approve.title", nil
}

// The message keys of these pages.
const (
	// ErrApprovalWaiting: nobody has typed the number yet.
	ErrApprovalWaiting = "field.approval_waiting"
	// ErrApprovalOver: the log-in was not approved, or too late.
	ErrApprovalOver = "field.approval_over"
	// ErrNumber: the number is not that of the other device.
	ErrNumber = "field.number"
	// NoticeApproved, NoticeDenied: what was answered.
	NoticeApproved = "notice.approved"
	NoticeDenied   = "notice.approval_denied"
)
