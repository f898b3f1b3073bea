package gateway

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// open asks for the upstream page that a place stands on. A link of the upstream
// never leads outside its base.
func (a *act) open(l listing, at place) (*upstream.Parts, error) {
	if at.Next != "" {
		return a.x.parts(http.MethodGet, at.Next, nil, nil)
	}
	return a.ask(l.first.With(rest.Param{Name: "_count", Values: []string{strconv.Itoa(cmp.Or(l.ask, l.count))}}))
}

// ask sends a request that gives a bundle.
func (a *act) ask(r rest.Request) (*upstream.Parts, error) {
	method, address, header, body := r.Upstream()
	return a.x.parts(method, address, header, body)
}

// parts asks for a bundle that is read while it arrives.
func (x *exchange) parts(method, address string, header http.Header, body []byte) (*upstream.Parts, error) {
	res, err := x.g.d.Upstream.Open(x.ctx, method, address, header, body)
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		// What it says about the refusal is not used.
		_ = res.Body.Close()
		return nil, upstreamFault(res.Status)
	}
	return res.Bundle(x.room.forReading(res.Length)), nil
}

// aroundEntry is about how many bytes an entry has beside its resource.
const aroundEntry = 160

// expect notes how much may leave of a part.
func (x *exchange) expect(part []view.Entry) {
	x.coming = 0
	for _, e := range part {
		x.coming += len(e.Resource) + aroundEntry
	}
}

// errEnough ends the reading of a bundle early; it never leaves this package.
var errEnough = errors.New("gateway: enough read")

// eachPart reads a bundle to its end or to the first error, and gives its link to
// the next page.
func eachPart(p *upstream.Parts, do func([]view.Entry) error) (next string, err error) {
	defer func() { _ = p.Close() }()
	for {
		part, err := p.Next()
		if err == io.EOF { //nolint:errorlint // a fault that wraps io.EOF is no end
			return p.Rest().Link("next"), nil
		}
		if err == nil {
			err = do(part)
		}
		if err != nil {
			return "", err
		}
	}
}

func bundleOf(raw []byte) (view.Bundle, error) {
	b, err := view.Entries(raw)
	if err != nil {
		return view.Bundle{}, errs.Wrap(err, errs.Upstream, "upstream-malformed", "The FHIR server's answer is not a valid Bundle.")
	}
	return b, nil
}

// history answers the history of one resource. The current version is judged
// first, then each version by itself; deletions are left out, because they
// tell of versions that may have been hidden (SMART TRP-11).
func (a *act) history(at place) (answer, error) {
	count, onlyCount, err := a.wants()
	if err != nil {
		return answer{}, err
	}
	if _, err := a.current(a.req.Target(), scope.Read); err != nil {
		return answer{}, err
	}
	first := a.req
	first.Query = nil
	for _, p := range a.req.Query {
		if p.Name == "_since" || p.Name == "_at" || p.Name == "_sort" {
			first.Query = append(first.Query, p)
		}
	}
	l := listing{first: first, count: count, ops: []scope.Ops{scope.Read}, kind: "history", check: func(s sight) (bool, error) {
		return s.ref() == a.req.Target(), nil
	}}
	if onlyCount {
		return a.countOnly(l)
	}
	return a.page(l, at)
}

// stillVisible judges the current version of what a type's history shows
// (GW-01).
func (a *act) stillVisible(s sight) (bool, error) {
	_, err := a.current(s.ref(), scope.Read, scope.Search)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// historyEntry gives the entry of one version. How it came about is told as
// an update: the upstream's own words are not passed on.
func (g *Gateway) historyEntry(s sight) view.Entry {
	e := g.entry(s, "")
	e.Request, _ = json.Marshal(struct {
		Method string `json:"method"`
		URL    string `json:"url"`
	}{http.MethodPut, s.ref().String()})
	e.Response = entryResponse(answer{status: http.StatusOK, version: s.res.VersionID, updated: s.res.LastUpdated}, nil)
	return e
}

// entryResponse gives Bundle.entry.response.
func entryResponse(a answer, outcome any) json.RawMessage {
	modified := ""
	if !a.updated.IsZero() {
		modified = a.updated.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	// Plain strings and an outcome made of them always marshal.
	raw, _ := json.Marshal(struct {
		Status       string `json:"status"`
		Location     string `json:"location,omitempty"`
		ETag         string `json:"etag,omitempty"`
		LastModified string `json:"lastModified,omitempty"`
		Outcome      any    `json:"outcome,omitempty"`
	}{strconv.Itoa(a.status) + " " + http.StatusText(a.status), a.location, a.etag(), modified, outcome})
	return raw
}
