package authzen

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/web/explain"
	"github.com/mandate-health/mandate/web/gateway"
	"github.com/mandate-health/mandate/web/problem"
)

// The paths of the API below the issuer (AuthZEN §10.1), and of its metadata
// (§9.2).
const (
	EvaluationPath  = "/access/v1/evaluation"
	EvaluationsPath = "/access/v1/evaluations"
	MetadataPath    = "/.well-known/authzen-configuration"
)

// Deps is what the decision point works with. All fields are required.
type Deps struct {
	Tenant, Issuer string
	// Caller authenticates the client that asks, which must have the right.
	// Errors: errs.InvalidClient; errs.Unauthenticated; errs.Forbidden.
	Caller func(w http.ResponseWriter, r *http.Request) (oauth.Client, error)
	// Open reports whether some client has the right.
	Open func(ctx context.Context) (bool, error)
	// Subject gives who holds a token and the key it is bound to. Errors:
	// errs.Unauthenticated for one that is not good.
	Subject func(ctx context.Context, token string) (b gateway.Bearer, confirmation any, err error)
	// Grant gives who holds a grant; ok is false for one that gives nothing.
	Grant func(ctx context.Context, id string) (b gateway.Bearer, ok bool, err error)
	// Admit counts a question about what a person allowed.
	Admit    func(ctx context.Context, tenant, personID string) error
	Judge    explain.Judge
	Recorder audit.Recorder
	Problem  *problem.Writer
	Origin   func(r *http.Request) (network, requestID string)
	Clock    clock.Clock
}

// metadata is the document of AuthZEN §9.1. It names no endpoint for searches
// (§8), which says that there is none: a list of all whom a token reaches, or of
// all who reach a record, is no decision about one thing.
type metadata struct {
	Point       string `json:"policy_decision_point"`
	Evaluation  string `json:"access_evaluation_endpoint"`
	Evaluations string `json:"access_evaluations_endpoint"`
}

// Metadata tells where to ask. While no client may, there is nothing to tell.
func (d Deps) Metadata() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open, err := d.Open(r.Context())
		if err == nil && !open {
			err = errs.New(errs.NotFound, "evaluation-off", "No client may ask for decisions here.")
		}
		if err != nil {
			d.Problem.JSON(w, r, err)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=300")
		write(w, metadata{d.Issuer, d.Issuer + EvaluationPath, d.Issuer + EvaluationsPath})
	})
}

// Evaluation answers one question.
func (d Deps) Evaluation() http.Handler {
	return d.asked(func(w http.ResponseWriter, r *http.Request, x *inquiry) error {
		var e evaluation
		if err := decode(w, r, &e); err != nil {
			return err
		}
		q, err := e.read()
		if err != nil {
			return err
		}
		out, err := x.decide(r.Context(), q)
		if err != nil {
			return err
		}
		if err := x.record(r.Context()); err != nil {
			return err
		}
		return answer(w, out)
	})
}

// Evaluations answers many questions; without any it answers the one that the
// members in common make (AuthZEN §7.1).
func (d Deps) Evaluations() http.Handler {
	return d.asked(func(w http.ResponseWriter, r *http.Request, x *inquiry) error {
		var all evaluations
		if err := decode(w, r, &all); err != nil {
			return err
		}
		if len(all.Evaluations) == 0 {
			q, err := all.read()
			if err != nil {
				return err
			}
			out, err := x.decide(r.Context(), q)
			if err == nil {
				err = x.record(r.Context())
			}
			if err != nil {
				return err
			}
			return answer(w, out)
		}
		if len(all.Evaluations) > maxQuestions {
			return errs.New(errs.TooLarge, "evaluations-too-many", "At most 100 evaluations are answered at once.")
		}
		out, err := x.each(r.Context(), all)
		if err == nil {
			err = x.record(r.Context())
		}
		if err != nil {
			return err
		}
		return answer(w, struct {
			Evaluations []decision `json:"evaluations"`
		}{out})
	})
}

// inquiry is one request of a client with the right, and the events of what it was
// told.
type inquiry struct {
	Deps
	caller oauth.Client
	origin audit.Event
	events []audit.Event
}

func (d Deps) asked(serve func(http.ResponseWriter, *http.Request, *inquiry) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := r.Header.Get("X-Request-ID"); id != "" && len(id) <= 128 && !strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) {
			// AuthZEN §10.1.1: it comes back as it is.
			w.Header().Set("X-Request-ID", id)
		}
		caller, err := d.Caller(w, r)
		if err != nil {
			d.Problem.OAuth(w, r, err)
			return
		}
		x := &inquiry{Deps: d, caller: caller}
		x.origin = audit.Event{Tenant: d.Tenant, Time: d.Clock.Now(), Action: "E"}
		x.origin.Network, x.origin.RequestID = d.Origin(r)
		if err := serve(w, r, x); err != nil {
			d.Problem.JSON(w, r, err)
		}
	})
}

// each answers in order, as far as the semantic asks. A question that cannot be
// understood is answered with its error.
func (x *inquiry) each(ctx context.Context, all evaluations) ([]decision, error) {
	stop := map[string]func(bool) bool{
		"": func(bool) bool { return false }, executeAll: func(bool) bool { return false },
		denyFirst: func(permitted bool) bool { return !permitted }, permitFirst: func(permitted bool) bool { return permitted },
	}[all.Options.Semantic]
	if stop == nil {
		return nil, malformed("evaluations_semantic must be execute_all, deny_on_first_deny or permit_on_first_permit")
	}
	out := []decision{}
	for _, e := range all.Evaluations {
		q, err := e.over(all.evaluation).read()
		var one decision
		if err == nil {
			one, err = x.decide(ctx, q)
		}
		switch kind := errs.KindOf(err); {
		case err != nil && (kind == errs.Unavailable || kind == errs.Internal):
			return nil, err
		case err != nil:
			one = decision{Context: basis{Reasons: []reason{}, Error: &fault{x.Problem.Status(err), errs.As(err).Code, errs.As(err).Msg}}}
		}
		out = append(out, one)
		if stop(one.Decision) {
			break
		}
	}
	return out, nil
}

// decide answers one question and notes its event.
func (x *inquiry) decide(ctx context.Context, q question) (decision, error) {
	b, cnf, dead, err := x.holder(ctx, q.subject)
	if err != nil {
		return decision{}, err
	}
	if dead != "" {
		out := decision{Context: basis{ID: x.origin.RequestID, Reasons: []reason{{Rule: "subject", Code: dead}}}}
		x.note(q, gateway.Bearer{}, gateway.Judgement{Reason: access.Reason{Rule: "subject", Code: dead}})
		return out, nil
	}
	if b.Grant.PersonID != "" {
		if err := x.Admit(ctx, x.Tenant, b.Grant.PersonID); err != nil {
			return decision{}, err
		}
	}
	j, err := x.Judge.Judge(ctx, gateway.Question{Bearer: b, Request: q.request, Resource: q.raw})
	if err != nil {
		return decision{}, err
	}
	x.note(q, b, j)
	out := told(j, q.raw != nil)
	out.Context.ID, out.Context.Confirmation = x.origin.RequestID, cnf
	return out, nil
}

// holder gives who holds the subject; dead is why it opens nothing.
func (x *inquiry) holder(ctx context.Context, s entity) (b gateway.Bearer, cnf any, dead string, err error) {
	if s.Type == subjectGrant {
		b, ok, err := x.Grant(ctx, s.ID)
		if err == nil && !ok {
			dead = "grant-inactive"
		}
		return b, nil, dead, err
	}
	b, cnf, err = x.Subject(ctx, s.ID)
	if errs.Is(err, errs.Unauthenticated) {
		return b, nil, "token-inactive", nil
	}
	return b, cnf, "", err
}

// told puts a judgement into an answer. Of a resource that the asker did not show,
// it is not told whether it is hidden or absent.
func told(j gateway.Judgement, shown bool) decision {
	account, d := j.RequestAccount, j.Request
	if !j.Judged.IsZero() && !j.Absent {
		account, d = j.ResourceAccount, j.Resource
	}
	out := decision{Decision: j.Allow, Context: basis{Reasons: []reason{}}}
	if !j.Allow {
		why := reason{j.Reason.Rule, j.Reason.Code, j.Reason.Subject}
		if !shown && !j.Judged.IsZero() {
			why = reason{Rule: "resource", Code: "not-found"}
		}
		out.Context.Reasons = append(out.Context.Reasons, why)
		return out
	}
	for _, r := range d.Reasons {
		out.Context.Reasons = append(out.Context.Reasons, reason{r.Rule, r.Code, r.Subject})
	}
	out.Context.Scopes, out.Context.Consents = account.Scopes, account.Consents
	out.Context.Filter = d.Filter && j.Judged.IsZero()
	for _, n := range j.Request.Rewrite {
		for _, p := range n {
			out.Context.Narrow = append(out.Context.Narrow, p.Name+"="+strings.Join(p.Values, ","))
		}
	}
	for _, o := range d.Obligations {
		out.Context.Obligations = append(out.Context.Obligations, string(o))
	}
	if !d.ValidUntil.IsZero() {
		out.Context.ValidUntil = d.ValidUntil.UTC().Format(time.RFC3339)
	}
	return out
}

// note keeps the event of a decision until it is recorded.
func (x *inquiry) note(q question, b gateway.Bearer, j gateway.Judgement) {
	e := x.origin
	e.Kind, e.Outcome = audit.DecisionPermit, audit.Success
	if !j.Allow {
		e.Kind, e.Outcome, e.Reason = audit.DecisionDeny, audit.MinorFailure, j.Reason.Code
	}
	e.PersonID, e.ClientID, e.GrantID, e.TokenID, e.Patient = b.Grant.PersonID, b.Client.ID, b.Grant.ID, b.JTI, j.Patient
	e.Capacity = j.Input.Grant.Capacity
	if e.ClientID == "" {
		e.ClientID = x.caller.ID
	}
	e.Resource = q.request.Target()
	if e.Resource.IsZero() {
		e.Resource.Type = q.request.Type
	}
	e.Query, e.Consents = j.Query, j.ResourceAccount.Consents
	if len(e.Consents) == 0 {
		e.Consents = j.RequestAccount.Consents
	}
	if len(e.Consents) == 0 {
		e.Consents = b.Grant.Basis()
	}
	e.Detail = map[string]string{"asked_by": x.caller.ID, "interaction": string(q.request.Interaction)}
	if q.request.Operation != "" {
		e.Detail["interaction"] = "$" + q.request.Operation
	}
	if j.Reason.Rule != "" {
		e.Detail[gateway.DetailRule] = j.Reason.Rule
	}
	x.events = append(x.events, e)
}

// record makes the events durable, together where there are many. Errors:
// errs.Unavailable; then nothing may be told.
func (x *inquiry) record(ctx context.Context) error {
	failures := make([]error, len(x.events))
	var all sync.WaitGroup
	for i := range x.events {
		all.Go(func() { failures[i] = x.Recorder.Record(ctx, x.events[i]) })
	}
	all.Wait()
	for _, err := range failures {
		if err != nil {
			return errs.Wrap(err, errs.Unavailable, "audit-unavailable", "The decision could not be recorded and is not told.")
		}
	}
	return nil
}

func answer(w http.ResponseWriter, body any) error {
	problem.NoStore(w)
	write(w, body)
	return nil
}

func write(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	_ = out.Encode(body)
}
