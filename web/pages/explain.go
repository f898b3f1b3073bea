package pages

import (
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

// What OperatorExplain is asked about.
const (
	ExplainGrant  = "grant"
	ExplainEvent  = "event"
	ExplainClient = "client"
)

// The message keys of OperatorExplain's fields.
const (
	// ErrExplainID: there is no such grant, event or app.
	ErrExplainID = "field.explain_id"
	// ErrExplainRequest: the request cannot be read.
	ErrExplainRequest = "field.explain_request"
)

// OperatorExplain asks what a question is about, and shows the answer. Posts: of,
// id, request.
type OperatorExplain struct {
	Frame
	Of, ID, Request string
	// Answer is nil before a question.
	Answer *Explained
}

// Explained is why a request is decided as it is. Sentence is English.
type Explained struct {
	Allowed                bool
	Sentence               string
	Rule, Code             string
	Request, Resource      string
	Grant, Client, Patient string
	Scopes, Near, Consents []string
	Relation               string
	InForce, Filtered      bool
	Narrowed               []string
	// Then is what the audit log has, for a question about an event.
	Then *ExplainedThen
}

// ExplainedThen is what was decided when it happened.
type ExplainedThen struct {
	At         time.Time
	Allowed    bool
	Rule, Code string
	Sentence   string
	Scopes     []string
	Consents   []string
	Relation   string
	Delivered  int
	Same       bool
	// Gone permitted it then and does not now.
	Gone []string
}

// Template names the page.
func (OperatorExplain) Template() string { return "operator-explain" }

func (p OperatorExplain) titleKey(*words.Catalogue, string) (string, words.Args) {
	switch {
	case p.Answer == nil:
		return "operator-explain.title", nil
	case p.Answer.Allowed:
		return "operator-explain.title_allowed", nil
	}
	return "operator-explain.title_refused", nil
}
