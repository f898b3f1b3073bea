package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/telemetry"
)

// Answer is one answer of the upstream whose body is still arriving. Reading it
// is bounded by the context it was asked with and by the time-out, which starts
// anew with each piece; a failure is errs.Upstream. Whoever got it closes it.
type Answer struct {
	Status int
	Header http.Header
	Body   io.ReadCloser
	// Length is how many bytes come, -1 when that is not known.
	Length int64
}

// Open is Do for an answer that is too large to be kept. The time-out bounds how
// long the upstream may take for the beginning.
func (c *Client) Open(ctx context.Context, method, pathAndQuery string, header http.Header, body []byte) (Answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	// A timer that runs only while something is waited for.
	idle := time.AfterFunc(c.timeout, func() { cancel(errIdle) })
	res, err := c.send(ctx, method, pathAndQuery, header, body) //nolint:bodyclose // the caller closes it, by way of arriving
	if err != nil {
		idle.Stop()
		err = idled(ctx, err)
		cancel(nil)
		return Answer{}, err
	}
	idle.Stop()
	b := &arriving{ctx: ctx, cancel: cancel, idle: idle, timeout: c.timeout, from: res.Body}
	if res.StatusCode >= http.StatusInternalServerError {
		_ = b.Close()
		return Answer{}, errs.New(errs.Upstream, "upstream-failed", "The FHIR server behind Mandate answered with an error.")
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Body: b, Length: res.ContentLength}, nil
}

// send builds and sends one request.
func (c *Client) send(ctx context.Context, method, pathAndQuery string, header http.Header, body []byte) (*http.Response, error) {
	var rd io.Reader
	if body != nil {
		rd = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base.String()+pathAndQuery, rd)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "upstream-request", "The upstream request could not be built.")
	}
	for k, v := range header {
		req.Header[k] = v
	}
	telemetry.Propagate(ctx, req.Header)
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/fhir+json")
	}
	if !c.plain {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	res, err := c.try(req)
	if err != nil {
		return nil, unreachable(err)
	}
	unpack(res)
	return res, nil
}

// errIdle is why an answer that did not go on was given up.
var errIdle = errors.New("the FHIR server sent nothing for too long")

// idled tells a time-out from a client that left: only that is a context that
// ended without a fault of the upstream.
func idled(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errIdle) {
		return errs.Wrap(errIdle, errs.Upstream, "upstream-unreachable", "The FHIR server behind Mandate cannot be reached.")
	}
	return err
}

// arriving is a body on its way.
type arriving struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	idle    *time.Timer
	timeout time.Duration
	from    io.ReadCloser
}

func (a *arriving) Read(p []byte) (int, error) {
	a.idle.Reset(a.timeout)
	n, err := a.from.Read(p)
	a.idle.Stop()
	if err != nil && err != io.EOF { //nolint:errorlint // a fault that wraps io.EOF is no end
		err = idled(a.ctx, unreachable(err))
	}
	return n, err
}

// drained is how much of an answer is read to its end so that the connection
// serves again.
const drained = 64 << 10

// Close ends the answer. What of it was not read is thrown away.
func (a *arriving) Close() error {
	a.idle.Reset(a.timeout)
	_, _ = io.CopyN(io.Discard, a.from, drained)
	a.idle.Stop()
	err := a.from.Close()
	a.cancel(nil)
	return err
}

// Stream opens an answer in another format than JSON, such as a file of a bulk
// export. The caller closes it. Errors: errs.NotFound, errs.Upstream.
func (c *Client) Stream(ctx context.Context, pathAndQuery, accept string) (io.ReadCloser, error) {
	res, err := c.Open(ctx, http.MethodGet, pathAndQuery, http.Header{"Accept": {accept}}, nil)
	if err != nil {
		return nil, err
	}
	if res.Status == http.StatusOK {
		return res.Body, nil
	}
	// What it says about the refusal is not used.
	_ = res.Body.Close()
	if res.Status == http.StatusNotFound || res.Status == http.StatusGone {
		return nil, errs.New(errs.NotFound, "resource-not-found", "There is no such resource.")
	}
	return nil, errs.New(errs.Upstream, "upstream-refused", "The FHIR server behind Mandate refused a file.")
}

// Parts is a bundle of the upstream that is read part by part.
type Parts struct {
	*view.Reader
	body io.Closer
}

// Bundle reads an answer as a bundle, into the memory given, nil for its own.
// Whoever got it closes it.
func (a Answer) Bundle(memory []byte) *Parts {
	return &Parts{view.NewReader(a.Body, a.Length, memory), a.Body}
}

// Next gives some more entries, io.EOF at the end. They are good until it is
// called again. Errors: errs.Upstream.
func (p *Parts) Next() ([]view.Entry, error) {
	part, err := p.Reader.Next()
	if errs.Is(err, errs.Invalid) {
		err = errs.Wrap(err, errs.Upstream, "upstream-malformed", "The FHIR server's answer is not a valid Bundle.")
	}
	return part, err
}

// Close ends the answer.
func (p *Parts) Close() error { return p.body.Close() }
