package pages

// ScreenList is the list of all pages with canned data; development only.
type ScreenList struct {
	Frame
	// Unchecked names the languages that no fluent reader has checked.
	Unchecked []string
	Screens   []ScreenLinks
}

// ScreenLinks are the links to one page in each state.
type ScreenLinks struct {
	// Name is shown as it is; Group is a word key.
	Name, Group string
	States      []ScreenLink
}

// ScreenLink is one link; State completes the word key "screens.state.<State>".
type ScreenLink struct{ State, URL string }

// Template names the page.
func (ScreenList) Template() string { return "screens" }
