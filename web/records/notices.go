package records

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// Notices gives what an account was told, as its portal tells it (RS-10).
type Notices interface {
	// Communications gives the newest, the newest first.
	Communications(ctx context.Context, lang string, p identity.Person) ([]evidence.Record, error)
	// Communication gives one. Errors: errs.NotFound for what is absent and for what
	// somebody else was told, alike.
	Communication(ctx context.Context, lang string, p identity.Person, id string) (evidence.Record, error)
}

// notice gives one to its addressee.
func (d Deps) notice(r *http.Request, a lifecycle.Actor) (found, error) {
	one, err := d.Notices.Communication(r.Context(), d.Lang(r), a.Person, idOf(r))
	if err != nil {
		return found{}, err
	}
	return found{all: []evidence.Record{one}}, nil
}

// noticeHistory gives the version that there is: a notice is written anew for each
// reader, and those before are not kept.
func (d Deps) noticeHistory(r *http.Request, a lifecycle.Actor) (found, error) {
	out, err := d.notice(r, a)
	out.bundle = "history"
	return out, err
}

func (d Deps) noticeVersion(r *http.Request, a lifecycle.Actor) (found, error) {
	out, err := d.notice(r, a)
	if err == nil && strconv.Itoa(out.all[0].Version) != mux.Vars(r)["version"] {
		return found{}, errs.New(errs.NotFound, "record-not-found", "There is no such record.")
	}
	return out, err
}

// notices searches the own ones by recipient, sent and status.
func (d Deps) notices(r *http.Request, a lifecycle.Actor) (found, error) {
	q := r.URL.Query()
	for name, values := range q {
		switch {
		case name == "sent", len(values) == 1 && (name == "recipient" || name == "status"):
		default:
			return found{}, errs.New(errs.Invalid, "search-parameter-unknown", "Search by recipient, sent or status.")
		}
	}
	spans := make([]func(time.Time) bool, 0, len(q["sent"]))
	for _, text := range q["sent"] {
		within, ok := sentWithin(text)
		if !ok {
			return found{}, errs.New(errs.Invalid, "search-parameter-unknown", "sent is a date or a time, with eq, ge, gt, le or lt before it.")
		}
		spans = append(spans, within)
	}
	all, err := d.Notices.Communications(r.Context(), d.Lang(r), a.Person)
	all = slices.DeleteFunc(all, func(one evidence.Record) bool {
		// What Mandate wrote can be read.
		var doc struct {
			Recipient []struct{ Reference string }
			Sent      time.Time
		}
		_ = json.Unmarshal(one.JSON, &doc)
		return q.Has("status") && q.Get("status") != one.Status ||
			q.Has("recipient") && !slices.ContainsFunc(doc.Recipient, func(to struct{ Reference string }) bool { return to.Reference == q.Get("recipient") }) ||
			slices.ContainsFunc(spans, func(within func(time.Time) bool) bool { return doc.Sent.IsZero() || !within(doc.Sent) })
	})
	return found{all, "searchset"}, err
}

// sentWithin reads a value of a date search parameter (R4 3.1.1.4.5).
func sentWithin(text string) (func(time.Time) bool, bool) {
	prefix := "eq"
	if len(text) > 2 && (text[0] < '0' || text[0] > '9') {
		prefix, text = text[:2], text[2:]
	}
	p, ok := fhir.ParseDate(text)
	tests := map[string]func(time.Time) bool{
		"eq": p.Contains,
		"ge": func(t time.Time) bool { return !t.Before(p.Start) },
		"gt": func(t time.Time) bool { return t.After(p.End) },
		"le": func(t time.Time) bool { return !t.After(p.End) },
		"lt": func(t time.Time) bool { return t.Before(p.Start) },
	}
	return tests[prefix], ok && tests[prefix] != nil
}
