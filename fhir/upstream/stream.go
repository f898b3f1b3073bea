package upstream

import (
	"context"
	"io"
	"net/http"

	"github.com/mandate-health/mandate/internal/errs"
)

// Stream opens an answer that is too large to be kept, such as a file of a
// bulk export. It is bounded by ctx alone; the caller closes it. Errors:
// errs.NotFound, errs.Upstream.
func (c *Client) Stream(ctx context.Context, pathAndQuery, accept string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String()+pathAndQuery, nil)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "upstream-request", "The upstream request could not be built.")
	}
	req.Header.Set("Accept", accept)
	patient := http.Client{Transport: c.http.Transport, CheckRedirect: c.http.CheckRedirect}
	res, err := patient.Do(req)
	if err != nil {
		return nil, unreachable(err)
	}
	if res.StatusCode == http.StatusOK {
		return res.Body, nil
	}
	// What it says about the refusal is not used.
	_ = res.Body.Close()
	if res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone {
		return nil, errs.New(errs.NotFound, "resource-not-found", "There is no such resource.")
	}
	return nil, errs.New(errs.Upstream, "upstream-refused", "The FHIR server behind Mandate refused a file.")
}
