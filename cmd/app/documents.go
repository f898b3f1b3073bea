package app

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	"github.com/mandate-health/mandate/oauth/registration"
)

// newDocuments knows the clients whose client_id is the address of a document
// that describes them, at every tenant.
func (a *App) newDocuments(fetcher *clientauth.Fetcher) *registration.Documents {
	return &registration.Documents{
		Read: a.memory, Clock: a.clock,
		Of: func(id string) (*registration.Dynamic, registration.Hosts) {
			t := a.tenant(id)
			if t == nil {
				return &registration.Dynamic{}, nil
			}
			return t.dynamic(), t.documentHosts()
		},
		Fetch: func(ctx context.Context, location string) ([]byte, time.Duration, error) {
			body, life, err := fetcher.Description(ctx, location)
			if err != nil {
				a.log.WarnContext(ctx, "the document of a client was not fetched", "client", location, "err", err)
			}
			return body, life, err
		},
	}
}
