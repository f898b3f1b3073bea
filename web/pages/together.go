package pages

// Together asks whether somebody else helps with the account. Posts: answer=yes or
// answer=no.
type Together struct {
	Frame
	Patient string
	Seen    []TogetherSeen
}

// TogetherSeen is one thing that was seen, in the words "together.seen.<rule>".
type TogetherSeen struct {
	Rule, First, Second string
	Count               int
}

// Template names the page.
func (Together) Template() string { return "together" }
