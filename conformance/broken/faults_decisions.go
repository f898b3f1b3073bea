package broken

import (
	"net/http"
	"slices"
)

// decisionFaults break the decision point for resource servers.
func decisionFaults() []Fault {
	const one, many = "/access/v1/evaluation", "/access/v1/evaluations"
	return []Fault{
		{Name: "the decision point says yes to everything", response: at(one, object(func(doc map[string]any) {
			if doc["decision"] != nil {
				doc["decision"] = true
			}
		})), Rows: []string{"MANDATE PDP-03", "MANDATE PDP-04", "MANDATE PDP-07"}},
		{Name: "many decisions come in another order", response: at(many, object(func(doc map[string]any) {
			if list, ok := doc["evaluations"].([]any); ok {
				slices.Reverse(list)
			}
		})), Rows: []string{"MANDATE PDP-06"}},
		{Name: "decisions may be kept", response: at(one, func(r *http.Response) {
			r.Header.Set("Cache-Control", "public, max-age=60")
		}), Rows: []string{"MANDATE PDP-08"}},
		{Name: "the decision point names another", response: at("/.well-known/authzen-configuration", object(set("policy_decision_point", "https://other.example"))),
			Rows: []string{"MANDATE PDP-01"}},
	}
}
