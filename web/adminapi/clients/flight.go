package clients

import (
	"context"

	"github.com/mandate-health/mandate/oauth/flight"
	"github.com/mandate-health/mandate/web/adminapi/call"
)

// flightLimit is how many of a client's requests an answer has at most, and
// when the question does not say.
const flightLimit = 200

type flightQuery struct {
	Count int64 `json:"count,omitempty" jsonschema:"How many at most; 200 when left out, and never more."`
}

// Requests are a client's last requests.
type Requests struct {
	Requests []flight.Shown `json:"requests"`
}

// requests gives the last requests of a client, newest first, with the cause of
// each refusal and what became of each scope. There is no health data in it.
func (d Deps) requests(ctx context.Context, in *call.In[flightQuery, none]) (Requests, error) {
	limit := int64(flightLimit)
	if in.Query.Count > 0 {
		limit = min(in.Query.Count, limit)
	}
	if _, err := d.Registry.One(ctx, d.Tenant, in.ID); err != nil {
		return Requests{}, err
	}
	records, err := d.Flights.Recent(ctx, d.Tenant, in.ID, int(limit))
	return Requests{flight.Show(records, d.ErrorDocs)}, err
}
