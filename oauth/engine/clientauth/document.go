package clientauth

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/mandate-health/mandate/internal/errs"
)

// Document fetches what a certificate names, such as a revocation list: as key
// sets are, from public addresses only, without redirects, in five seconds, of at
// most most bytes. Plain HTTP is taken, because what is fetched proves itself by
// a signature and its host need not. Errors: errs.Unavailable with code
// document-unavailable.
func (f *Fetcher) Document(ctx context.Context, location string, most int64) ([]byte, error) {
	u, err := url.Parse(location)
	if err != nil || u.User != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errDocument(err)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return nil, errDocument(err)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, errDocument(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil || resp.StatusCode != http.StatusOK || int64(len(body)) > most {
		return nil, errDocument(err)
	}
	return body, nil
}

func errDocument(cause error) error {
	return errs.Wrap(cause, errs.Unavailable, "document-unavailable", "A document that a certificate names cannot be fetched.")
}
