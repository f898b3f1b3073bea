package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/watch"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/proxy"
)

// Memory is the store for readers who may be told what was true a moment ago:
// the methods below answer from memory while the feed is fresh (D17), all
// others read. What a decision commits to (redeeming, rotating, signing in)
// reads the Store itself. Values are shared: nobody may change them.
type Memory struct {
	*Store
	feed  *watch.Feed
	clock clock.Clock
}

// Remember gives the store with a memory that the feed keeps current.
func (s *Store) Remember(feed *watch.Feed) *Memory {
	return &Memory{Store: s, feed: feed, clock: s.clock}
}

// ClientByID implements oauth.ClientStore.
func (m *Memory) ClientByID(ctx context.Context, tenant, id string) (oauth.Client, error) {
	return watch.Load(ctx, m.feed, watch.Change{Tenant: tenant, Kind: watch.Client, Key: id}, nil,
		func(ctx context.Context) (oauth.Client, error) { return m.Store.ClientByID(ctx, tenant, id) })
}

// GrantByID implements oauth.GrantStore. A refresh on another node moves the
// end of a grant without a word, so an ended copy is not believed.
func (m *Memory) GrantByID(ctx context.Context, tenant, id string) (oauth.Grant, error) {
	return watch.Load(ctx, m.feed, watch.Change{Tenant: tenant, Kind: watch.Grant, Key: id},
		func(g oauth.Grant) bool { return g.Live(m.clock.Now()) },
		func(ctx context.Context) (oauth.Grant, error) { return m.Store.GrantByID(ctx, tenant, id) })
}

// TokenRevoked implements oauth.TokenStore.
func (m *Memory) TokenRevoked(ctx context.Context, tenant, jti string) (bool, error) {
	return watch.Load(ctx, m.feed, watch.Change{Tenant: tenant, Kind: watch.Token, Key: jti}, nil,
		func(ctx context.Context) (bool, error) { return m.Store.TokenRevoked(ctx, tenant, jti) })
}

// ConsentEpoch implements consent.Store.
func (m *Memory) ConsentEpoch(ctx context.Context, tenant, patient string) (int64, error) {
	return watch.Load(ctx, m.feed, watch.Change{Tenant: tenant, Kind: watch.Patient, Key: patient}, nil,
		func(ctx context.Context) (int64, error) { return m.Store.ConsentEpoch(ctx, tenant, patient) })
}

// RelatedPersonByID gives a relation as decisions need it, without its FHIR
// JSON, which names people and is not kept in memory.
func (m *Memory) RelatedPersonByID(ctx context.Context, tenant, id string) (proxy.RelatedPerson, error) {
	return watch.Load(ctx, m.feed, watch.Change{Tenant: tenant, Kind: watch.Relation, Key: id}, nil,
		func(ctx context.Context) (proxy.RelatedPerson, error) {
			v, err := m.Store.RelatedPersonByID(ctx, tenant, id)
			v.JSON = nil
			return v, err
		})
}

// PersonEnabled reports whether an account exists and is not disabled.
func (m *Memory) PersonEnabled(ctx context.Context, tenant, id string) (bool, error) {
	return watch.Load(ctx, m.feed, watch.Change{Tenant: tenant, Kind: watch.Person, Key: id}, nil,
		func(ctx context.Context) (bool, error) {
			v, err := m.PersonByID(ctx, tenant, id)
			if errs.Is(err, errs.NotFound) {
				return false, nil
			}
			return err == nil && !v.Disabled, err
		})
}

// SessionEnds gives the absolute end of a log-in session, zero when it is
// unknown or was ended.
func (m *Memory) SessionEnds(ctx context.Context, tenant, hash string) (time.Time, error) {
	return watch.Load(ctx, m.feed, watch.Change{Tenant: tenant, Kind: watch.Session, Key: hash},
		func(ends time.Time) bool { return m.clock.Now().Before(ends) },
		func(ctx context.Context) (time.Time, error) {
			v, err := m.SessionByHash(ctx, tenant, hash)
			if errs.Is(err, errs.NotFound) || err == nil && !v.Ended.IsZero() {
				return time.Time{}, nil
			}
			return v.Ends, err
		})
}
