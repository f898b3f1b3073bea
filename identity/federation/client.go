package federation

import (
	"context"
	"net/url"
	"time"
)

// Client sends people to one provider and reads what it says of them, whichever
// protocol it speaks. It is safe for concurrent use.
type Client interface {
	// About gives what the operator says of the provider.
	About() Provider
	// Depart gives the address at which a person signs in; fresh asks the provider
	// to do it anew. Errors: errs.Upstream, errs.Unavailable.
	Depart(ctx context.Context, t Trip, fresh bool) (Departure, error)
	// Land judges what a browser brings back. Errors: errs.AccessDenied when
	// anything of it is not as it must be; errs.Unavailable.
	Land(ctx context.Context, r Return) (Arrived, error)
	// LogoutURL gives the address at which a browser signs out at the provider too,
	// "" where it has none; back is where it comes from there.
	LogoutURL(ctx context.Context, back string) string
}

// Sealer keeps what an attempt needs from everybody who carries it.
type Sealer interface {
	Seal(ctx context.Context, v any) (string, error)
	// Open gives the JSON of what was sealed here. Errors: errs.Unauthenticated,
	// errs.Unavailable.
	Open(ctx context.Context, sealed string) ([]byte, error)
}

// Trip is what a browser was sent away for.
type Trip struct {
	// Browser is the token of the browser that left, Next where its log-in leads.
	Browser string `json:"browser"`
	Next    string `json:"next,omitempty"`
	// Link says that a signed-in person wants to link the subject.
	Link bool `json:"link,omitempty"`
}

// TripLife is how long a browser may be away.
const TripLife = 15 * time.Minute

// Departure is how a browser leaves: for To, and with Kept in a cookie, where the
// protocol cannot carry it to the provider and back.
type Departure struct{ To, Kept string }

// Return is how it comes back: with the parameters of the address, with what it
// kept, and with its token.
type Return struct {
	Query         url.Values
	Kept, Browser string
}

// Arrived is who came back.
type Arrived struct {
	Said
	Trip
	// Answer is unique to this answer; it cannot be used after Until.
	Answer string
	Until  time.Time
}

// Refused is why an answer does not count: a word for the audit log, and what the log
// of this server says. Neither is shown to the browser.
type Refused struct {
	Reason string
	Cause  error
}

// Error gives both.
func (r *Refused) Error() string {
	if r.Cause == nil {
		return r.Reason
	}
	return r.Reason + ": " + r.Cause.Error()
}

// Unwrap gives the cause.
func (r *Refused) Unwrap() error { return r.Cause }
