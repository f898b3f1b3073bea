package authzen

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/explain"
)

// The limits of a request: its bytes, and the questions of one request.
const (
	maxBody      = 4 << 20
	maxQuestions = 100
)

// The types of subject.
const (
	subjectToken = "access_token"
	subjectGrant = "grant"
)

// entity is a subject or a resource (AuthZEN §5.1, §5.2).
type entity struct {
	Type       string `json:"type"`
	ID         string `json:"id"`
	Properties struct {
		// Resource is the FHIR resource itself, Version the version asked for and
		// Query the parameters of a search.
		Resource json.RawMessage `json:"resource"`
		Version  string          `json:"version"`
		Query    string          `json:"query"`
	} `json:"properties"`
}

// evaluation is one question (AuthZEN §6.1). What is not known is let be, as the
// specification has it: context decides nothing here.
type evaluation struct {
	Subject  *entity `json:"subject"`
	Resource *entity `json:"resource"`
	Action   *struct {
		Name string `json:"name"`
	} `json:"action"`
}

// evaluations is many questions with what they have in common (AuthZEN §7.1).
type evaluations struct {
	evaluation
	Evaluations []evaluation `json:"evaluations"`
	Options     struct {
		Semantic string `json:"evaluations_semantic"`
	} `json:"options"`
}

// The semantics of many questions (AuthZEN §7.1.2).
const (
	executeAll  = "execute_all"
	denyFirst   = "deny_on_first_deny"
	permitFirst = "permit_on_first_permit"
)

// over fills what the question leaves out from the defaults.
func (e evaluation) over(defaults evaluation) evaluation {
	if e.Subject == nil {
		e.Subject = defaults.Subject
	}
	if e.Resource == nil {
		e.Resource = defaults.Resource
	}
	if e.Action == nil {
		e.Action = defaults.Action
	}
	return e
}

// question is what is asked, understood.
type question struct {
	subject entity
	request rest.Request
	raw     []byte
}

// methods are the FHIR interactions that can be asked about, with their method.
var methods = map[rest.Interaction]string{
	rest.Read: "GET", rest.VRead: "GET", rest.HistoryInstance: "GET", rest.HistoryType: "GET", rest.SearchType: "GET",
	rest.Create: "POST", rest.Update: "PUT", rest.Patch: "PATCH", rest.Delete: "DELETE",
}

// wholeType is the id by which a resource stands for all of its type.
const wholeType = "*"

// read understands a question. Errors: errs.Invalid with code evaluation-malformed
// or evaluation-action; those of rest.Parse.
func (e evaluation) read() (question, error) {
	switch {
	case e.Subject == nil || e.Subject.ID == "" || e.Subject.Type != subjectToken && e.Subject.Type != subjectGrant:
		return question{}, malformed("subject must have a type, access_token or grant, and an id")
	case e.Action == nil || e.Action.Name == "":
		return question{}, malformed("action must have a name")
	case e.Resource == nil || e.Resource.Type == "":
		return question{}, malformed("resource must have a type and an id")
	}
	if strings.HasPrefix(e.Action.Name, "$") {
		return e.operation()
	}
	i := rest.Interaction(e.Action.Name)
	method, known := methods[i]
	if !known {
		return question{}, errAction
	}
	id := e.Resource.ID
	if id == wholeType || i == rest.Create {
		id = ""
	}
	req, err := explain.Parse("", method+" "+e.address(i, id))
	if err != nil {
		return question{}, err
	}
	if req.Interaction != i || req.Type != e.Resource.Type || req.ID != id {
		return question{}, malformed("type, id and action do not go together")
	}
	raw := []byte(e.Resource.Properties.Resource)
	if string(raw) == "null" {
		raw = nil
	}
	return question{*e.Subject, req, raw}, nil
}

var errAction = errs.New(errs.Invalid, "evaluation-action",
	"The action is none that can be asked about: read, vread, history-instance, history-type, search-type, create, update, patch, delete, $everything or $export.")

// operations are the FHIR operations that can be asked about.
var operations = []string{"$everything", "$export"}

// operation understands a question about an operation: on a resource, on a type
// (id "*"), or on all there is (type and id "*").
func (e evaluation) operation() (question, error) {
	name, typ, id := e.Action.Name, e.Resource.Type, e.Resource.ID
	if !slices.Contains(operations, name) {
		return question{}, errAction
	}
	if shown := e.Resource.Properties.Resource; shown != nil && string(shown) != "null" {
		return question{}, malformed("an operation is asked about without showing a resource")
	}
	if id == wholeType {
		id = ""
	}
	if typ == wholeType {
		typ = ""
	}
	path := ""
	for _, part := range []string{typ, id, name} {
		if part != "" {
			path += "/" + part
		}
	}
	if q := e.Resource.Properties.Query; q != "" {
		path += "?" + q
	}
	req, err := explain.Parse("", "GET "+path)
	if err != nil {
		return question{}, err
	}
	if req.Interaction != rest.Operation || "$"+req.Operation != name || req.Type != typ || req.ID != id {
		return question{}, malformed("type, id and action do not go together")
	}
	return question{*e.Subject, req, nil}, nil
}

// address writes the request down below the FHIR base.
func (e evaluation) address(i rest.Interaction, id string) string {
	path := []string{"", e.Resource.Type}
	if id != "" {
		path = append(path, id)
	}
	switch i {
	case rest.VRead:
		path = append(path, "_history", e.Resource.Properties.Version)
	case rest.HistoryInstance, rest.HistoryType:
		path = append(path, "_history")
	}
	out := strings.Join(path, "/")
	if q := e.Resource.Properties.Query; q != "" {
		out += "?" + q
	}
	return out
}

func malformed(why string) error {
	return errs.New(errs.Invalid, "evaluation-malformed", "The evaluation is not valid: "+why+".")
}

// decode reads a body. Errors: errs.UnsupportedMedia; errs.TooLarge; errs.Invalid.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return errs.New(errs.UnsupportedMedia, "content-type", "The body must be application/json.")
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	err := dec.Decode(into)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return errs.New(errs.TooLarge, "body-too-large", "The body is too large.")
	case err != nil || dec.More():
		return malformed("the body is not one JSON object of the form that is wanted")
	}
	return nil
}

// decision is an answer (AuthZEN §6.2).
type decision struct {
	Decision bool  `json:"decision"`
	Context  basis `json:"context"`
}

// basis says what the decision rests on.
type basis struct {
	// ID is the request's id, under which the audit log has the decision.
	ID      string   `json:"id,omitempty"`
	Reasons []reason `json:"reasons"`
	Scopes  []string `json:"scopes,omitempty"`
	// Consents are versioned references.
	Consents []string `json:"consents,omitempty"`
	// Filter says that each resource must be asked about by itself, Narrow what a
	// search is to be narrowed to before it runs.
	Filter      bool     `json:"filter,omitempty"`
	Narrow      []string `json:"narrow,omitempty"`
	Obligations []string `json:"obligations,omitempty"`
	// ValidUntil is when the decision may come out differently by itself.
	ValidUntil string `json:"valid_until,omitempty"`
	// Confirmation is the key that whoever presents the token must prove: that is
	// for the resource server to ask (RFC 9449 §6, RFC 8705 §3.2).
	Confirmation any `json:"cnf,omitempty"`
	// Error is there in place of a decision about one of many (AuthZEN §7.2.1).
	Error *fault `json:"error,omitempty"`
}

type reason struct {
	Rule    string `json:"rule"`
	Code    string `json:"code"`
	Subject string `json:"subject,omitempty"`
}

type fault struct {
	Status  int    `json:"status"`
	Code    string `json:"code"`
	Message string `json:"message"`
}
