package pages

import "time"

// Devices lists where a person is signed in. Posts: session, to end one; without it
// all others end, and with apps what apps keep.
type Devices struct {
	Frame
	// Action is the POST target.
	Action   string
	Sessions []SignedInDevice
	// Apps offers to end the access of apps too.
	Apps bool
	// ApproveURL leads to a log-in that waits for this device; empty leaves it out.
	ApproveURL string
}

// SignedInDevice is one log-in.
type SignedInDevice struct {
	// ID is posted back.
	ID string
	// Browser and System are what they are called, empty when not known.
	Browser, System string
	// Here is the log-in that looks at the page; Shared says that other people use
	// the device.
	Here, Shared bool
	// Since and LastSeen are UTC.
	Since, LastSeen time.Time
}

// Template names the page.
func (Devices) Template() string { return "devices" }

// Others reports whether there is another log-in.
func (p Devices) Others() bool {
	for _, s := range p.Sessions {
		if !s.Here {
			return true
		}
	}
	return false
}
