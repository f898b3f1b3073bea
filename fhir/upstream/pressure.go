package upstream

import (
	"context"
	"net/http"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

const (
	// defaultRequests is how many requests of clients ask the upstream at once.
	defaultRequests = 256
	// admitWithin is how long a further one waits for its turn.
	admitWithin = time.Second
	// defaultRetries is how often a read that failed is asked again, retryAfter how
	// long is waited before.
	defaultRetries = 1
	retryAfter     = 100 * time.Millisecond
)

// Admit waits until one more request of a client may ask the upstream, as often
// as it needs, and gives what to call at its end. It bounds what an upstream that
// is slow makes wait here. Errors: errs.Unavailable when it was not its turn
// within a second.
func (c *Client) Admit(ctx context.Context) (leave func(), err error) {
	leave = func() { <-c.turns }
	select {
	case c.turns <- struct{}{}:
		return leave, nil
	default:
	}
	wait := time.NewTimer(admitWithin)
	defer wait.Stop()
	select {
	case c.turns <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-wait.C:
		return nil, errs.New(errs.Unavailable, "upstream-crowded", "Too many requests wait for the FHIR server behind Mandate; try again.")
	}
}

// try sends a request, and again where that can change nothing: a method that is
// safe, and a fault that passes. What the upstream said is not read for that.
func (c *Client) try(req *http.Request) (*http.Response, error) {
	for left := c.retries; ; left-- {
		res, err := c.http.Do(req) //nolint:gosec // the address is the configured base and what was built below it
		if left == 0 || req.Method != http.MethodGet || req.Context().Err() != nil || err == nil && !passing(res.StatusCode) {
			return res, err
		}
		if err == nil {
			// The next answer counts.
			_ = res.Body.Close()
		}
		wait := time.NewTimer(retryAfter)
		select {
		case <-wait.C:
		case <-req.Context().Done():
			wait.Stop()
			return nil, context.Cause(req.Context())
		}
	}
}

// passing reports whether a status tells of a moment rather than of a request.
func passing(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}
