package pages

import "net/http"

// Standing is as whom the reader of any page acts.
type Standing struct {
	// Acting is nil for themself.
	Acting *Acting
	// SwitchURL leads to the choice; empty for those who help nobody.
	SwitchURL string
}

// Stand gives a kit whose pages say as whom their reader acts. A page that decides
// about a capacity of its own says so itself (Frame.Standing).
func (k *Kit) Stand(of func(*http.Request) Standing) *Kit {
	next := *k
	next.standing = of
	return &next
}

// stands completes a frame with as whom the reader acts.
func (k *Kit) stands(r *http.Request, f Frame) Frame {
	if k.standing == nil || f.Standing {
		return f
	}
	s := k.standing(r)
	f.SwitchURL = s.SwitchURL
	if f.ActingFor == nil {
		f.ActingFor = s.Acting
	}
	return f
}

// ActingChoice asks as whom the reader goes on. Posts: as, "self" or the Value of one
// of Others.
type ActingChoice struct {
	Frame
	// Oneself: the reader acts as themself now.
	Oneself bool
	Others  []ActingPerson
}

// ActingPerson is somebody for whom the reader may act.
type ActingPerson struct {
	Value, Name, Gender string
	// Relation is the relationship code to the patient.
	Relation string
	// Here: the reader acts for this person now.
	Here bool
}

// Template names the page.
func (ActingChoice) Template() string { return "acting" }
