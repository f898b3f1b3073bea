package explanations

import (
	"context"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/web/adminapi/call"
	"github.com/mandate-health/mandate/web/explain"
	"github.com/mandate-health/mandate/web/route"
)

// Asker answers questions; explain.Service is one.
type Asker interface {
	Ask(ctx context.Context, q explain.Question, by audit.Event) (explain.Explanation, error)
}

// Deps is what the API works with.
type Deps struct {
	call.Desk
	Explain Asker
}

// Routes lists what the package serves.
func (d Deps) Routes() []route.Route {
	spec := func(method, path, id, summary string) call.Spec {
		return call.Spec{Method: method, Path: path, ID: id, Summary: summary, Owner: "web/adminapi/explanations", PHI: route.Identifiers}
	}
	return []route.Route{
		call.On(d.Desk, spec("POST", "/admin/grants/explain", "explainRequest",
			"Tells how a request would be decided now: scopes, consents, relationship and rule. Nothing of the record leaves but ids. The question is recorded."), d.request),
		call.On(d.Desk, spec("POST", "/admin/audit/{id}/explain", "explainEvent",
			"Tells what decided the request of an audit event, and how it would be decided now. The question is recorded."), d.event),
	}
}

// Asked is a question about a request.
type Asked struct {
	Grant   string `json:"grant,omitempty" jsonschema:"Id of the grant; give this, token or client_id."`
	Token   string `json:"token,omitempty" jsonschema:"An access token."`
	Client  string `json:"client_id,omitempty" jsonschema:"A client that acts for itself."`
	Request string `json:"request" jsonschema:"Method and path below the FHIR base, such as GET /Observation?category=laboratory."`
}

func (d Deps) request(ctx context.Context, in *call.In[route.Empty, Asked]) (explain.Explanation, error) {
	b := in.Body
	return d.Explain.Ask(ctx, explain.Question{Grant: b.Grant, Token: b.Token, Client: b.Client, Request: b.Request}, in.By)
}

func (d Deps) event(ctx context.Context, in *call.In[route.Empty, route.Empty]) (explain.Explanation, error) {
	return d.Explain.Ask(ctx, explain.Question{Event: in.ID}, in.By)
}
