package gateway

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// batchBytes is how much of a bundle is gathered before it leaves: what a request
// holds of its answer, however large that becomes.
const batchBytes = 512 << 10

// sheet is a bundle that leaves while the upstream still sends. Total and links
// come behind the entries, because only then they are known. One that is not
// larger than a batch leaves as a whole.
type sheet struct {
	act  *act
	kind string
	text []byte
	// matches is how many entries were added.
	matches int
}

// sheet begins a bundle of that kind, and forgets what an earlier one gathered.
func (a *act) sheet(kind string) *sheet {
	a.delivered, a.notices = nil, redisclosure{}
	head := `{"resourceType":"Bundle","id":"` + a.x.g.d.IDs.ID() + `","type":"` + kind + `"`
	return &sheet{act: a, kind: kind, text: append((*sheets.Get().(*[]byte))[:0], head...)}
}

// sheets are the memory of answers that have left. One that was not sent whole is
// not used again: the connection may still hold it.
var sheets = sync.Pool{New: func() any {
	b := make([]byte, 0, 4<<10)
	return &b
}}

// add puts a resource that leaves on the sheet. Its memory is free afterwards.
// Errors: errAnew, and those of send.
func (o *sheet) add(s sight, e view.Entry) error {
	a := o.act
	a.deliver(s)
	o.entry(min(a.x.coming, batchBytes) + len(s.raw))
	o.text = e.AppendTo(o.text)
	if len(o.text) < batchBytes {
		return nil
	}
	return o.send()
}

// entry begins an entry, with room for so much.
func (o *sheet) entry(room int) {
	if o.matches++; o.matches > 1 {
		o.text = append(o.text, ',')
		return
	}
	o.text = append(slices.Grow(o.text, room), `,"entry":[`...)
}

// errAnew says that what backs the token changed before anything had left, so
// that the answer is made anew; errUnsteady that this helped not, or that it was
// too late.
var (
	errAnew     = errs.New(errs.Unavailable, "standing-unsteady", "Consents are being changed at this moment; try again.")
	errUnsteady = errs.New(errs.Unavailable, "standing-unsteady", "Consents are being changed at this moment; try again.")
)

// send lets a batch leave: after asking again what backs the token (GW-26), and
// after its event is durable (D8).
func (o *sheet) send() error {
	a := o.act
	if a.x.to == nil {
		if len(o.text) > maxAnswer {
			return errAnswerTooLarge
		}
		return nil
	}
	changed, err := a.standsMeanwhile()
	if err != nil {
		return err
	}
	if changed && a.x.begun {
		return errUnsteady
	}
	if changed {
		return errAnew
	}
	if err := a.record(nil); err != nil {
		return errs.Wrap(err, errs.Unavailable, "audit-unavailable", "The access could not be recorded and is refused.")
	}
	a.delivered = nil
	if !a.x.begun {
		a.notices.announce(a.x.to.Header())
	}
	err = a.x.emit(mediaFHIR+"; charset=utf-8", o.text)
	o.text = o.text[:0]
	return err
}

// end gives the answer with what is left of the sheet.
func (o *sheet) end(total *int, links []view.Link) answer {
	if ignored := o.act.ignored; ignored != nil {
		o.entry(0)
		o.text = ignoredEntry(ignored).AppendTo(o.text)
	}
	if p := o.act.notices; p.due() && o.kind == "searchset" {
		o.entry(0)
		o.text = p.entry().AppendTo(o.text)
	}
	if o.matches > 0 {
		o.text = append(o.text, ']')
	}
	return answer{status: http.StatusOK, body: append(view.AppendTail(o.text, total, links), '}'), begun: o.act.x.begun, lent: true}
}

// emit sends a part of the answer to the client.
func (x *exchange) emit(media string, part []byte) error {
	if !x.begun {
		x.to.Header().Set("Content-Type", media)
		x.begun = true
	}
	_, err := x.to.Write(part)
	if err == nil {
		err = x.to.flush()
	}
	if err != nil {
		return errs.Wrap(err, errs.Unavailable, "client-gone", "The client is gone.")
	}
	return nil
}

// breakOff ends an answer of which a part has left: only a connection that breaks
// off tells the client that it is not whole. Nothing more can be written to it.
func (x *exchange) breakOff(w http.ResponseWriter) {
	if err := http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)); err != nil {
		x.g.d.Log.ErrorContext(x.ctx, "a broken answer could not be broken off", "error", err)
	}
}

// steady runs a filtering and then asks again what backs the token. When that
// changed, the request is judged and the answer filtered anew, unless a part of
// it has left: nothing leaves on a consent that ended while it was fetched
// (GW-26).
func (a *act) steady(filter func() error) error {
	for range maxTries {
		err := filter()
		if err != nil && !errors.Is(err, errAnew) {
			return err
		}
		if err == nil {
			changed, err := a.stands()
			if err != nil || !changed {
				return err
			}
		}
		if a.x.begun {
			break
		}
		a.x.memory = memory{}
	}
	return errUnsteady
}
