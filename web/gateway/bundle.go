package gateway

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/fhirapi"
)

// bundle answers a batch or a transaction, each entry by its own rule (SMART
// M-13, GW-11).
func (x *exchange) bundle(req rest.Request) (answer, error) {
	// What answers an entry does not leave by itself.
	to := x.to
	x.to = nil
	if req.Interaction == rest.Batch {
		return x.batch(req, to)
	}
	return x.transaction(req, to)
}

const (
	// maxAnswer is how many bytes the answer to one entry may have: a page, held
	// until it is whole, because what it says of itself stands before it.
	maxAnswer = 8 << 20
	// maxReads is how many bytes the reads of a transaction may have together before
	// its writes are done: they are made again for the answer.
	maxReads = 32 << 20
)

var errAnswerTooLarge = errs.New(errs.TooLarge, "answer-too-large", "The answer to an entry is too large; ask for less at once, or beside others.")

// batch answers the entries one by one; one refusal tells nothing of others.
func (x *exchange) batch(req rest.Request, to *squeezed) (answer, error) {
	out := x.replies("batch-response", req.Entries, to)
	defer out.over()
	for _, e := range req.Entries {
		ans, err := x.serve(e.Request)
		if err := out.add(x.entryAnswer(ans, err)); err != nil {
			return answer{}, err
		}
	}
	return out.end()
}

// replies is the answer to a batch or a transaction, which leaves while the entries
// behind are still asked for. Each entry has its own event before it leaves.
type replies struct {
	x       *exchange
	to      *squeezed
	text    []byte
	entries int
	// begun says that a part has left; the entries are answered as if none had,
	// since theirs has not.
	begun bool
	// writes says that some entry changes something.
	writes bool
}

func (x *exchange) replies(kind string, entries []rest.Entry, to *squeezed) *replies {
	writes := slices.ContainsFunc(entries, func(e rest.Entry) bool {
		return opsOf(e.Request.Interaction)&(scope.Create|scope.Update|scope.Delete) != 0
	})
	return &replies{x: x, to: to, writes: writes, text: []byte(`{"resourceType":"Bundle","id":"` + x.g.d.IDs.ID() + `","type":"` + kind + `"`)}
}

// stands asks again what backs the token (GW-26), unless something was written: what
// was done is not told as refused. Errors: those of a token that is no longer good;
// errUnsteady where consents changed: the entries before were judged by the old
// ones, and can be asked for again.
func (o *replies) stands() error {
	if o.writes {
		return nil
	}
	before := o.x.in
	if err := o.x.stand(); err != nil {
		return err
	}
	if !sameStanding(before, o.x.in) {
		return errUnsteady
	}
	return nil
}

// add puts an entry behind the others, and lets a batch of them leave. Errors: those
// of stands and of emit.
func (o *replies) add(e view.Entry) error {
	if o.entries++; o.entries == 1 {
		o.text = append(o.text, `,"entry":[`...)
	} else {
		o.text = append(o.text, ',')
	}
	o.text = e.AppendTo(o.text)
	if len(o.text) < batchBytes || o.to == nil {
		return nil
	}
	if err := o.stands(); err != nil {
		return err
	}
	o.x.to, o.x.begun = o.to, o.begun
	err := o.x.emit(mediaFHIR+"; charset=utf-8", o.text)
	o.text, o.begun = o.text[:0], o.x.begun
	o.x.to, o.x.begun = nil, false
	return err
}

// over gives the exchange back what has become of its answer.
func (o *replies) over() { o.x.to, o.x.begun = o.to, o.begun }

// end gives the answer with what is left.
func (o *replies) end() (answer, error) {
	if o.entries > 0 {
		if err := o.stands(); err != nil {
			return answer{}, err
		}
		o.text = append(o.text, ']')
	}
	return answer{status: http.StatusOK, body: append(o.text, '}'), begun: o.begun}, nil
}

// entryAnswer writes one answer as an entry.
func (x *exchange) entryAnswer(ans answer, err error) view.Entry {
	if err != nil {
		failed := answer{status: x.g.d.Problems.Status(err)}
		return view.Entry{Response: entryResponse(failed, x.g.d.Problems.Outcome(err))}
	}
	var notice any
	if ans.notices.due() && ans.status == http.StatusOK {
		notice = json.RawMessage(ans.notices.outcome())
	}
	e := view.Entry{Resource: ans.body, Response: entryResponse(ans, notice)}
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
func (x *exchange) transaction(req rest.Request, to *squeezed) (answer, error) {
	steps := make([]step, 0, len(req.Entries))
	var send []rest.Entry
	touched := map[string]bool{}
	size := 0
	for _, e := range req.Entries {
		s, err := x.prepare(e.Request)
		if err == nil {
			err = once(touched, s)
		}
		if size += s.size; size > maxReads {
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
	return x.transactionAnswer(req.Entries, steps, results, to)
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
func (x *exchange) transactionAnswer(entries []rest.Entry, steps []step, results []outcome, to *squeezed) (answer, error) {
	out := x.replies("transaction-response", entries, to)
	defer out.over()
	for _, s := range steps {
		ans, err := x.stepAnswer(s, results)
		told := s.act.conclude(err)
		if told != nil && (len(results) == 0 || !s.reads || !errors.Is(told, err)) {
			return answer{}, told
		}
		// What cannot be read after the writes does not undo them.
		if err := out.add(x.entryAnswer(ans, told)); err != nil {
			return answer{}, err
		}
	}
	return out.end()
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
