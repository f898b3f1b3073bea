package pages

// FieldUserCode is the form field of Device.
const FieldUserCode = "user_code"

// ErrUserCode is a code that is not known or has run out.
const ErrUserCode = "field.user_code"

// Device asks for the code that another screen shows (RFC 8628 §3.3). Posts:
// user_code.
type Device struct {
	Frame
	// Action is the POST target; empty means the page's own URL.
	Action string
	// Code is what was typed, or came with the link; Linked says the latter: the
	// person only has to compare.
	Code   string
	Linked bool
}

// Template names the page.
func (Device) Template() string { return "device" }
