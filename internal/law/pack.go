package law

import "time"

// Format is the version of the file format that is read.
const Format = 1

// Pack is one file: the rules of one jurisdiction.
type Pack struct {
	// Format is the version of the file format.
	Format int `json:"format"`
	// Jurisdiction is a code of ISO 3166, such as US or US-CA.
	Jurisdiction string `json:"jurisdiction"`
	// Inherits is the jurisdiction whose rules hold where this one has none of the
	// same kind and key; empty: none.
	Inherits string `json:"inherits,omitempty"`
	// Version is the author's; Reviewed says which counsel looked at it and when, or
	// "none". Note is for who reads the file.
	Version  string `json:"version"`
	Reviewed string `json:"reviewed"`
	Note     string `json:"note,omitempty"`

	Ages        []Ages       `json:"ages,omitempty"`
	Signers     []Signers    `json:"signers,omitempty"`
	MinorTopics []MinorTopic `json:"minor_topics,omitempty"`
	Grounds     []Ground     `json:"denial_grounds,omitempty"`
	Clocks      []Clock      `json:"clocks,omitempty"`
	Notices     []Notice     `json:"notices,omitempty"`
	Topics      []Topic      `json:"label_sets,omitempty"`
}

// Span is on which days a rule holds, and where it stands.
type Span struct {
	// From is the first day, Until the first on which it holds no more; empty: open.
	From  string `json:"from"`
	Until string `json:"until,omitempty"`
	// Source is the citation.
	Source string `json:"source"`
}

// holds reports whether the rule holds on the day that an instant has in the zone.
func (s Span) holds(at time.Time, zone *time.Location) bool {
	day := at.In(zone).Format(time.DateOnly)
	return s.From <= day && (s.Until == "" || day < s.Until)
}

func (s Span) meets(o Span) bool {
	return (o.Until == "" || o.Until > s.From) && (s.Until == "" || s.Until > o.From)
}

// Ages says at which ages a parent sees less and nothing any more (LC-20, LC-21).
type Ages struct {
	Span
	// Teen and Adult are in years. Teen is where a parent's access becomes what the
	// teenager agrees to.
	Teen  int `json:"teen"`
	Adult int `json:"adult"`
	// LeapDay is the birthday, in years without one, of those born on 29 February:
	// 02-28 or 03-01.
	LeapDay string `json:"leap_day"`
}

// Signers says who signs an agreement about what a parent of a teenager sees (FX-24).
type Signers struct {
	Span
	// Band is teen; Sign lists who signs. The engine knows patient and parent, both.
	Band string   `json:"band"`
	Sign []string `json:"sign"`
}

// MinorTopic is a topic over which a minor decides alone from an age on, so that a
// parent does not see it (LB-11, FX-23). Age 0: at any age.
type MinorTopic struct {
	Span
	Topic string `json:"topic"`
	Age   int    `json:"age"`
}

// Ground is one reason that the law knows for keeping something from somebody who
// stands in the patient's shoes (IB-01).
type Ground struct {
	Span
	// ID is stable; Cite and Text say where the law has it, in English.
	ID   string `json:"id"`
	Cite string `json:"cite"`
	Text string `json:"text"`
	// Ends: it holds for a time only and is looked at again (IB-02).
	Ends bool `json:"ends,omitempty"`
}

// The clocks.
const (
	// ClockDenial is by when a denial is reviewed (IB-05), in working days.
	ClockDenial = "denial-review"
	// ClockCapacity is the longest until a finding that somebody cannot decide is
	// looked at again (LC-14), in days.
	ClockCapacity = "capacity-review"
)

// Clock is a number of days within which something is due. Unit is working-days or
// days, as the clock's name has it.
type Clock struct {
	Span
	Name string `json:"name"`
	Days int    `json:"days"`
	Unit string `json:"unit"`
}

// NoticePart2 is what accompanies records of a substance use programme (42 CFR 2.32).
const NoticePart2 = "part2-redisclosure"

// Notice is a statement that the law wants with an answer. Key names it in catalogues
// and logs; Text is what is sent, in one line of ASCII.
type Notice struct {
	Span
	Name string `json:"name"`
	Key  string `json:"key"`
	Text string `json:"text"`
}

// Topic is the set of sensitivity labels (v3-ActCode) that one topic is.
type Topic struct {
	Span
	Topic  string   `json:"topic"`
	Labels []string `json:"labels"`
}

// TopicNames lists the topics, as the powers of an instrument name them.
func TopicNames() []string {
	return []string{"mental-health", "hiv", "sexual-health", "violence", "genetics", "substance-use"}
}
