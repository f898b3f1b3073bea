package explain

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/gateway"
)

// The limits of a replay: the events of one read of the log, and the resources of
// one answer that are judged again.
const (
	replayPage     = 500
	replayResource = 10
)

// Replayed is what a replay came to.
type Replayed struct {
	// Requests were decided again, Resources of their answers too; Skipped could not
	// be: their grant or client is gone, or the log does not say enough.
	Requests  int `json:"requests"`
	Resources int `json:"resources"`
	Skipped   int `json:"skipped"`
	// Unjudged resources could not be looked at, as no FHIR server is known.
	Unjudged int `json:"unjudged,omitempty"`
	// Differences are those that would be decided otherwise, newest first.
	Differences []Difference `json:"differences"`
}

// Difference is one request, or one resource of its answer, that another policy
// decides otherwise.
type Difference struct {
	Event    string    `json:"event"`
	Time     time.Time `json:"time"`
	Grant    string    `json:"grant,omitempty"`
	Client   string    `json:"client_id"`
	Request  string    `json:"request"`
	Resource string    `json:"resource,omitempty"`
	// Before and After are permit or deny, with rule and code.
	Before string `json:"before"`
	After  string `json:"after"`
}

// Replay decides the requests of the audit log from since on again, at most limit
// of them, newest first, as they are decided now and as another judge decides
// them, and gives the differences. Grants are taken as they stood at the time,
// consents, relations and resources as they are now. Reading the log is recorded
// by who reads it. Errors: errs.Upstream; errs.Unavailable.
func (s *Service) Replay(ctx context.Context, log audit.Log, other Judge, since time.Time, limit int, by audit.Event) (Replayed, error) {
	out := Replayed{Differences: []Difference{}}
	f := audit.Filter{
		Since: since, Limit: min(limit, replayPage),
		Kinds: []audit.Kind{audit.FHIRRead, audit.FHIRSearch, audit.FHIRWrite, audit.FHIRRefused},
	}
	by.Tenant = s.Tenant
	held := map[string]*gateway.Bearer{}
	for limit > 0 {
		events, err := log.Read(ctx, f, by)
		if err != nil {
			return out, err
		}
		for _, e := range events {
			if err := s.again(ctx, &out, held, other, e); err != nil {
				return out, err
			}
		}
		limit -= len(events)
		if len(events) < f.Limit {
			break
		}
		last := events[len(events)-1]
		f.Before, f.BeforeID, f.Limit = last.Time, last.ID, min(limit, replayPage)
	}
	return out, nil
}

// again decides the request of one event both ways, and what its answer held.
func (s *Service) again(ctx context.Context, out *Replayed, held map[string]*gateway.Bearer, other Judge, e audit.Event) error {
	req, ok := RequestOf(e)
	b, err := s.heldBy(ctx, held, e)
	if err != nil {
		return err
	}
	if !ok || b == nil {
		out.Skipped++
		return nil
	}
	out.Requests++
	found := []fhir.Reference{{}}
	if req.Interaction == rest.SearchType {
		for _, text := range e.Delivered[:min(len(e.Delivered), replayResource)] {
			if ref, ok := fhir.ParseReference(text); ok && ref.Type == req.Type {
				found = append(found, ref)
			}
		}
	}
	for _, ref := range found {
		q := gateway.Question{Bearer: *b, Request: req, Found: ref, At: e.Time}
		before, err := s.Judge.Judge(ctx, q)
		if err != nil {
			return err
		}
		after, err := other.Judge(ctx, q)
		if err != nil {
			return err
		}
		switch {
		case !before.Unjudged.IsZero():
			out.Unjudged++
		case !ref.IsZero():
			out.Resources++
		}
		if otherwise(before, after) {
			d := Difference{
				Event: e.ID, Time: e.Time, Grant: e.GrantID, Client: e.ClientID, Request: describe(req, before.Query),
				Before: outcome(before), After: outcome(after),
			}
			if !ref.IsZero() {
				d.Resource = ref.String()
			}
			out.Differences = append(out.Differences, d)
			if ref.IsZero() {
				// The whole request comes out otherwise, with all of its answer.
				return nil
			}
		}
	}
	return nil
}

// heldBy gives who made the request of an event; nil for one that is gone.
func (s *Service) heldBy(ctx context.Context, held map[string]*gateway.Bearer, e audit.Event) (*gateway.Bearer, error) {
	key := e.GrantID + " " + e.ClientID
	if b, known := held[key]; known {
		return b, nil
	}
	var b gateway.Bearer
	var err error
	switch {
	case e.GrantID != "":
		b, _, err = s.ofGrant(ctx, e.GrantID)
	case e.ClientID != "" && e.Capacity.Kind == fhir.CapacitySystem:
		b, _, err = s.ofClient(ctx, e.ClientID)
	default:
		err = errs.New(errs.NotFound, "event-unknown", "Nobody is named.")
	}
	if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Invalid) {
		held[key] = nil
		return nil, nil //nolint:nilnil // nobody is left who holds it
	}
	if err != nil {
		return nil, err
	}
	// The Consent that records a grant ends with it, and the grant is taken as it
	// stood.
	b.Grant.ConsentID = ""
	held[key] = &b
	return &b, nil
}

// otherwise reports whether a request ends otherwise, or passes only because a rule
// is audited. What is refused either way is the same, by whichever rule.
func otherwise(before, after gateway.Judgement) bool {
	return before.Allow != after.Allow || before.Allow && (len(before.Would) > 0) != (len(after.Would) > 0)
}

// outcome names a judgement: permit, also when only for an audited rule, or deny,
// with rule and code.
func outcome(j gateway.Judgement) string {
	name := func(r access.Reason) string { return r.Rule + ":" + r.Code }
	switch {
	case j.Absent:
		return "absent"
	case !j.Allow:
		return Deny + " " + name(j.Reason)
	case len(j.Would) > 0:
		return Permit + " but for " + name(j.Would[0])
	}
	return Permit
}
