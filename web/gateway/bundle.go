package gateway

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/fhirapi"
)

// bundle answers a batch or a transaction, each entry by its own rule (SMART
// M-13, GW-11).
func (x *exchange) bundle(req rest.Request) (answer, error) {
	x.to = nil
	if req.Interaction == rest.Batch {
		return x.batch(req), nil
	}
	return x.transaction(req)
}

// maxAnswer is how many bytes the answers to the entries of one bundle may have
// together: each may be a full page, and they are kept until the last is there.
const maxAnswer = 32 << 20

var errAnswerTooLarge = errs.New(errs.TooLarge, "answer-too-large", "The answers to the entries before are too large; ask for less at once.")

// batch answers the entries one by one; one refusal tells nothing of others.
func (x *exchange) batch(req rest.Request) answer {
	out := view.Bundle{ID: x.g.d.IDs.ID(), Type: "batch-response"}
	size := 0
	for _, e := range req.Entries {
		var ans answer
		var err error
		if size < maxAnswer {
			ans, err = x.serve(e.Request)
		} else {
			err = (&act{x: x, req: e.Request}).conclude(errAnswerTooLarge)
		}
		size += len(ans.body)
		out.Entries = append(out.Entries, x.entryAnswer(ans, err))
	}
	return answer{status: http.StatusOK, body: out.AppendTo(nil)}
}

// entryAnswer writes one answer as an entry.
func (x *exchange) entryAnswer(ans answer, err error) view.Entry {
	if err != nil {
		failed := answer{status: x.g.d.Problems.Status(err)}
		return view.Entry{Response: entryResponse(failed, x.g.d.Problems.Outcome(err))}
	}
	e := view.Entry{Resource: ans.body, Response: entryResponse(ans, nil)}
	if res, err := view.Scan(ans.body); err == nil && res.ID != "" && res.Type != "Bundle" {
		e.FullURL = x.g.d.Base + "/" + res.Type + "/" + res.ID
	}
	return e
}

// step is one entry of a transaction on its way.
type step struct {
	act  *act
	plan plan
	// reads marks an entry that is answered by our own pipeline, before and
	// after the writes.
	reads bool
	// size is how many bytes its answer had before the writes.
	size int
	// sent is the place among the entries sent upstream, -1 for none.
	sent int
}

// transaction decides all entries before anything is sent: one refusal
// refuses the whole. Then the judged writes go upstream as one transaction.
func (x *exchange) transaction(req rest.Request) (answer, error) {
	steps := make([]step, 0, len(req.Entries))
	var send []rest.Entry
	touched := map[string]bool{}
	size := 0
	for _, e := range req.Entries {
		s, err := x.prepare(e.Request)
		if err == nil {
			err = once(touched, s)
		}
		if size += s.size; size > maxAnswer {
			err = errAnswerTooLarge
		}
		if err != nil {
			return answer{}, s.act.conclude(err)
		}
		if !s.reads && s.plan.done == nil {
			s.sent = len(send)
			send = append(send, rest.Entry{FullURL: e.FullURL, Request: s.plan.send})
		} else if e.FullURL != "" && referred(req.Entries, e.FullURL) {
			return answer{}, s.act.conclude(errs.New(errs.Unprocessable, "entry-reference", "An entry refers to another one that is not written."))
		}
		steps = append(steps, s)
	}
	results, err := x.sendAll(send)
	if err != nil {
		for _, s := range steps {
			if recorded := s.act.conclude(err); !errors.Is(recorded, err) {
				return answer{}, recorded
			}
		}
		return answer{}, err
	}
	return x.transactionAnswer(steps, results)
}

// prepare judges one entry.
func (x *exchange) prepare(req rest.Request) (step, error) {
	s := step{act: &act{x: x, req: req}, sent: -1}
	switch req.Interaction {
	case rest.Read, rest.VRead, rest.SearchType:
		s.reads = true
		ans, err := s.act.run()
		s.size = len(ans.body)
		return s, err
	case rest.Create, rest.Update, rest.Delete, rest.ConditionalUpdate, rest.ConditionalDelete:
	default:
		return s, errs.New(errs.NotSupported, "entry-interaction", "This interaction is not offered inside a transaction.")
	}
	if _, err := s.act.permit(); err != nil {
		return s, err
	}
	if fhirapi.Owns(req.Type) {
		return s, errs.New(errs.Unprocessable, "entry-type", "This type cannot be written together with others.")
	}
	var err error
	s.plan, err = s.act.plan()
	return s, err
}

// once refuses a second write to the same resource: what was judged for it
// would not be what it meets (R4 §3.1.0.11.2).
func once(touched map[string]bool, s step) error {
	if s.reads || s.plan.done != nil || s.plan.send.ID == "" {
		return nil
	}
	key := s.plan.send.Type + "/" + s.plan.send.ID
	if touched[key] {
		return errs.New(errs.Invalid, "entry-repeated", "Two entries write the same resource.")
	}
	touched[key] = true
	return nil
}

func referred(entries []rest.Entry, fullURL string) bool {
	for _, e := range entries {
		list, err := view.References(e.Request.Body)
		if len(e.Request.Body) == 0 || err != nil {
			continue
		}
		for _, r := range list {
			if r == fullURL {
				return true
			}
		}
	}
	return false
}

// sendAll sends the writes as one transaction and gives the outcomes in order.
func (x *exchange) sendAll(entries []rest.Entry) ([]outcome, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	method, address, header, body := rest.Request{Interaction: rest.Transaction, Entries: entries}.Upstream()
	header.Set("Prefer", "return=representation")
	res, err := x.g.d.Upstream.Do(x.ctx, method, address, header, body)
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		return nil, upstreamFault(res.Status)
	}
	b, err := bundleOf(res.Body)
	if err != nil {
		return nil, err
	}
	if len(b.Entries) != len(entries) {
		return nil, errs.New(errs.Upstream, "upstream-malformed", "The FHIR server answered a transaction with another number of entries.")
	}
	out := make([]outcome, len(entries))
	for i, e := range b.Entries {
		var response struct {
			Location string `json:"location"`
		}
		if json.Unmarshal(e.Response, &response) != nil {
			return nil, errs.New(errs.Upstream, "upstream-malformed", "The FHIR server answered a transaction with an entry that says nothing.")
		}
		out[i] = outcome{body: e.Resource, location: strings.TrimPrefix(response.Location, "/")}
	}
	return out, nil
}

// transactionAnswer answers and records every entry.
func (x *exchange) transactionAnswer(steps []step, results []outcome) (answer, error) {
	out := view.Bundle{ID: x.g.d.IDs.ID(), Type: "transaction-response"}
	for _, s := range steps {
		ans, err := x.stepAnswer(s, results)
		if err = s.act.conclude(err); err != nil {
			return answer{}, err
		}
		out.Entries = append(out.Entries, x.entryAnswer(ans, nil))
	}
	return answer{status: http.StatusOK, body: out.AppendTo(nil)}, nil
}

func (x *exchange) stepAnswer(s step, results []outcome) (answer, error) {
	switch {
	case s.reads:
		s.act.delivered = nil
		x.memory = memory{}
		return s.act.run()
	case s.plan.done != nil:
		return *s.plan.done, nil
	}
	return s.act.finish(s.plan, results[s.sent])
}
