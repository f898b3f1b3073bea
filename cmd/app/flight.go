package app

import (
	"context"

	"github.com/mandate-health/mandate/oauth/flight"
)

// knownClient reports whether there is such a client.
func (a *App) knownClient(ctx context.Context, tenant, id string) bool {
	_, err := a.memory.ClientByID(ctx, tenant, id)
	return err == nil
}

// maxOwnRequests is how many of its requests a client is shown.
const maxOwnRequests = 50

// ownRequests gives a client's last requests, as it is shown them itself.
func (t *tenant) ownRequests(ctx context.Context, tenant, clientID string) (any, error) {
	records, err := t.flights.Recent(ctx, tenant, clientID, maxOwnRequests)
	return flight.Show(records, t.site.Issuer+errorDocs), err
}
