package clientauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// maxDescription is the greatest size of a document that describes a client.
const maxDescription = 32 << 10

// Description fetches the JSON document by which a client whose client_id is an
// address describes itself, under the same limits as key sets, and says for how
// long it may be kept. It keeps nothing itself. Errors: why it was not had, for
// the maker of the client to read.
func (f *Fetcher) Description(ctx context.Context, location string) (body []byte, life time.Duration, err error) {
	if !f.allowed(location) {
		return nil, 0, errors.New("its address may not be fetched")
	}
	got, err := f.get(ctx, location, "application/json", maxDescription)
	if err != nil {
		return nil, 0, err
	}
	media, _, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	if err != nil || media != "application/json" && (!strings.HasPrefix(media, "application/") || !strings.HasSuffix(media, "+json")) {
		return nil, 0, errors.New("its Content-Type is not application/json")
	}
	return got.body, freshness(got.header), nil
}

// got is an answer with status 200.
type got struct {
	header http.Header
	body   []byte
}

// get fetches from an address that somebody else chose, of at most limit bytes and
// in fetchTimeout.
func (f *Fetcher) get(ctx context.Context, location, accept string, limit int64) (got, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return got{}, err
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return got{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return got{}, fmt.Errorf("the answer has status %d, not 200", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("the answer is larger than %d bytes", limit)
	}
	return got{resp.Header, body}, err
}
