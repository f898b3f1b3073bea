package adminapi

import (
	"net/http"
	"strconv"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/flight"
)

// flightLimit is how many of a client's requests an answer has at most, and
// when the question does not say.
const flightLimit = 200

// requests gives the last requests of a client, newest first, with the cause of
// each refusal and what became of each scope. There is no health data in it.
func (a *API) requests(_ http.ResponseWriter, r *http.Request) (any, error) {
	id, limit := mux.Vars(r)["id"], flightLimit
	if text := r.URL.Query().Get("count"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, errs.New(errs.Invalid, "count-malformed", "count must be a number from 1 on.")
		}
		limit = min(n, flightLimit)
	}
	if _, err := a.Client(r.Context(), a.Tenant, id); err != nil {
		return nil, err
	}
	records, err := a.Flights.Recent(r.Context(), a.Tenant, id, limit)
	if err != nil {
		return nil, err
	}
	return map[string]any{"requests": flight.Show(records, a.ErrorDocs)}, nil
}
