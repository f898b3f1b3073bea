package adminapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/mandate-health/mandate/audit"
)

// Brands publishes the user-access brands of this tenant.
type Brands interface {
	// Published gives the bundle and its version. Errors: errs.NotFound.
	Published(ctx context.Context) (raw []byte, version int, err error)
	// Publish puts a bundle in place of the version, 0 for whatever is there, and
	// gives it as it is published. Errors: errs.Invalid and errs.Unprocessable
	// naming the elements, errs.PreconditionFailed.
	Publish(ctx context.Context, raw []byte, version int, origin audit.Event) (published []byte, now int, err error)
	// Withdraw takes the bundle off the net. Errors: errs.NotFound,
	// errs.PreconditionFailed.
	Withdraw(ctx context.Context, version int, origin audit.Event) error
}

// brands gives the bundle as it is published (BRD-06).
func (a *API) brands(w http.ResponseWriter, r *http.Request) (any, error) {
	return told(w)(a.Brands.Published(r.Context()))
}

// told names the version for If-Match.
func told(w http.ResponseWriter) func([]byte, int, error) (any, error) {
	return func(raw []byte, version int, err error) (any, error) {
		if err != nil {
			return nil, err
		}
		w.Header().Set("ETag", `W/"`+strconv.Itoa(version)+`"`)
		return json.RawMessage(raw), nil
	}
}

// publishBrands puts a bundle in place of the one there is. With If-Match only in
// place of that version.
func (a *API) publishBrands(w http.ResponseWriter, r *http.Request) (any, error) {
	raw, version, err := readResource(w, r)
	if err != nil {
		return nil, err
	}
	return told(w)(a.Brands.Publish(r.Context(), raw, version, a.origin(r)))
}

// withdrawBrands takes the bundle off the net.
func (a *API) withdrawBrands(w http.ResponseWriter, r *http.Request) (any, error) {
	_, version, err := readResource(w, r)
	if err != nil {
		return nil, err
	}
	return map[string]any{"withdrawn": true}, a.Brands.Withdraw(r.Context(), version, a.origin(r))
}
