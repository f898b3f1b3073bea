package clientauth

import (
	"context"
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
	got, err := f.get(ctx, location, "", most)
	if err != nil {
		return nil, errDocument(err)
	}
	return got.body, nil
}

func errDocument(cause error) error {
	return errs.Wrap(cause, errs.Unavailable, "document-unavailable", "A document that a certificate names cannot be fetched.")
}
