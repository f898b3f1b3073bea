package people

import (
	"cmp"
	"context"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/adminapi/call"
	"github.com/mandate-health/mandate/web/route"
)

// Life does what is told; access/lifecycle is one.
type Life interface {
	Hear(ctx context.Context, a lifecycle.Actor, n lifecycle.News) (int, error)
	Proofed(ctx context.Context, a lifecycle.Actor, id, evidence string) (proxy.Case, error)
}

// Deps is what the API works with.
type Deps struct {
	call.Desk
	Life Life
}

// Routes lists what the package serves.
func (d Deps) Routes() []route.Route {
	spec := func(path, id, summary, detail string) call.Spec {
		return call.Spec{Method: "POST", Path: path, ID: id, Summary: summary, Detail: detail, Owner: "web/adminapi/people", PHI: route.Identifiers}
	}
	return []route.Route{
		call.On(d.Desk, spec(lifecycle.FeedPath, "tellPeople", "Tells what a registration feed has heard about people.",
			"A message that comes twice changes nothing the second time. A death needs a second source: a member of staff."), d.hear),
		call.On(d.Desk, spec(lifecycle.ProofingPath, "tellProofing", "Tells that a proofing service has proofed the identity of a person who wants to help.",
			"The id is that of the case, which staff and the service see; the patient is asked to confirm."), d.proofed),
	}
}

// Message is one message of a feed.
type Message struct {
	Kind     string `json:"kind" jsonschema:"One of death-reported, relationship-ended, patient-merged, patient-unmerged, custodian-changed."`
	Patient  string `json:"patient,omitempty" jsonschema:"Id of the patient; of a merge, the record that stays."`
	Other    string `json:"other,omitempty" jsonschema:"Of a merge: the id of the record that goes into it."`
	Relation string `json:"relation,omitempty" jsonschema:"Of a relationship that ended: the id of the RelatedPerson."`
	Transfer bool   `json:"transfer,omitempty" jsonschema:"Of another custodian: what people agreed to goes on with it. Without, each is asked anew."`
}

// Told says what a message did.
type Told struct {
	Changed int `json:"changed" jsonschema:"How many accesses changed."`
}

func (d Deps) hear(ctx context.Context, in *call.In[route.Empty, Message]) (Told, error) {
	m := in.Body
	n, err := d.Life.Hear(ctx, actor(in.By), lifecycle.News{Kind: m.Kind, Patient: m.Patient, Other: m.Other, Relation: m.Relation, Transfer: m.Transfer})
	return Told{n}, err
}

// Proofing is what a proofing service found.
type Proofing struct {
	Evidence string `json:"evidence" jsonschema:"The service's own reference; no copies of documents."`
}

// Stands says where a case stands.
type Stands struct {
	ID    string `json:"id"`
	State string `json:"state"`
}

func (d Deps) proofed(ctx context.Context, in *call.In[route.Empty, Proofing]) (Stands, error) {
	c, err := d.Life.Proofed(ctx, actor(in.By), in.ID, in.Body.Evidence)
	return Stands{in.ID, string(c.State)}, err
}

// actor is the client that tells; an operator of the machine has no name there.
func actor(by audit.Event) lifecycle.Actor {
	return lifecycle.Actor{Client: cmp.Or(by.Detail["administrator"], "operator"), Origin: by}
}
