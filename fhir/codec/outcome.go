package codec

import (
	"encoding/json"
	"errors"
)

// OperationOutcome gives the R4 resource that reports faults of a body: one
// issue of severity error and code invalid each, with the element as
// expression. Without issues it reports one of unknown place.
func (c *Codec) OperationOutcome(issues ...Issue) []byte { return Outcome(issues...) }

// Outcome is Codec.OperationOutcome without a codec.
func Outcome(issues ...Issue) []byte {
	type entry struct {
		Severity    string   `json:"severity"`
		Code        string   `json:"code"`
		Diagnostics string   `json:"diagnostics,omitempty"`
		Expression  []string `json:"expression,omitempty"`
	}
	if len(issues) == 0 {
		issues = []Issue{{Text: "The resource is not valid."}}
	}
	out := struct {
		ResourceType string  `json:"resourceType"`
		Issue        []entry `json:"issue"`
	}{ResourceType: "OperationOutcome"}
	for _, i := range issues {
		e := entry{Severity: "error", Code: "invalid", Diagnostics: i.Text}
		if i.Path != "" {
			e.Expression = []string{i.Path}
		}
		out.Issue = append(out.Issue, e)
	}
	raw, err := json.Marshal(out)
	if err != nil {
		// Strings always marshal; this keeps the promise of a body.
		return []byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid"}]}`)
	}
	return raw
}

// IssuesOf gives the faults that an error of Validate carries, or none.
func IssuesOf(err error) []Issue {
	var e *Error
	if errors.As(err, &e) {
		return e.Issues
	}
	return nil
}
