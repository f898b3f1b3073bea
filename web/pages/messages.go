package pages

import "time"

// Messages lists the messages to the person who is signed in. Posts: until, to mark
// what was shown as read.
type Messages struct {
	Frame
	// Action is the POST target.
	Action string
	// Until is posted back.
	Until string
	Items []MessageLine
	// ContactURL leads to what the person wants to hear of; optional.
	ContactURL string
}

// Template names the page.
func (Messages) Template() string { return "messages" }

// New reports whether a message was not read yet.
func (p Messages) New() bool {
	for _, m := range p.Items {
		if m.New {
			return true
		}
	}
	return false
}

// MessageLine is one message.
type MessageLine struct {
	At  time.Time
	New bool
	// Key is the key of its text below "news.", such as "self.proxy.granted".
	Key string
	// Who is a person who helps, Patient somebody who is helped.
	Who, Patient string
	// Count is how often something happened since a time.
	Count int
	Since time.Time
	// URL leads to the matter; optional.
	URL string
}

// Contact is what a person wants to hear of, and where e-mails go. Posts: one field
// for each of People.
type Contact struct {
	Frame
	Action string
	// Address takes e-mails that something is new; empty means none does. Shared:
	// somebody who helps uses it too, so nothing goes there.
	Address string
	Shared  bool
	People  []ContactPerson
}

// Template names the page.
func (Contact) Template() string { return "contact" }

// ContactPerson is what is told of one person who helps.
type ContactPerson struct {
	// Field is the name of the form field, Name the person's.
	Field, Name string
	// Choice is one of Choices.
	Choice  string
	Choices []string
}

// News gives the words of a message, as the page of messages has them.
func (k *Kit) News(lang string, m MessageLine) string {
	// Message lines name keys that have a text.
	text, _ := translate(k.deps.Words, lang, "news."+m.Key, []any{
		"who", m.Who, "patient", m.Patient, "count", m.Count, "date", k.deps.Words.Date(lang, k.local(m.Since)),
	})
	return text
}
