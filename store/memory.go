package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
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

// TokenStanding implements oauth.TokenStore. What is not in memory is read in
// one statement.
func (m *Memory) TokenStanding(ctx context.Context, tenant string, t oauth.TokenRef) (bool, oauth.Standing, error) {
	if listed, st, ok := m.keptStanding(tenant, t); ok {
		return listed, st, nil
	}
	reading := m.feed.Begin()
	listed, st, err := m.Store.TokenStanding(ctx, tenant, t)
	if err != nil {
		return listed, st, err
	}
	keep := func(kind watch.Kind, key string, value any) {
		reading.Keep(watch.Change{Tenant: tenant, Kind: kind, Key: key}, value)
	}
	keep(watch.Token, t.ID, listed)
	if st.Client.ID != "" {
		keep(watch.Client, st.Client.ID, st.Client)
	}
	if g := st.Grant; g.ID != "" {
		keep(watch.Grant, g.ID, keptGrant{g, st.ConsentEpoch, st.ApprovalEnded})
		keep(watch.Person, g.PersonID, st.PersonActive)
		keep(watch.Session, g.SessionHash, st.SessionEnds)
		keep(watch.Patient, g.Record(), st.ConsentEpoch)
	}
	return listed, st, nil
}

// keptGrant is a grant and how its approval stood at a consent epoch: with
// another epoch the approval may be another one.
type keptGrant struct {
	grant         oauth.Grant
	epoch         int64
	approvalEnded bool
}

// keptStanding puts a standing together from memory. A refresh on another node
// moves the end of a grant without a word, so an ended copy is not believed.
func (m *Memory) keptStanding(tenant string, t oauth.TokenRef) (listed bool, st oauth.Standing, ok bool) {
	named := func(kind watch.Kind, key string) watch.Change {
		return watch.Change{Tenant: tenant, Kind: kind, Key: key}
	}
	if listed, ok = watch.Kept[bool](m.feed, named(watch.Token, t.ID), nil); !ok {
		return false, st, false
	}
	if st.Client, ok = watch.Kept[oauth.Client](m.feed, named(watch.Client, t.ClientID), nil); !ok || t.GrantID == "" {
		return listed, st, ok
	}
	now := m.clock.Now()
	kept, ok := watch.Kept(m.feed, named(watch.Grant, t.GrantID), func(k keptGrant) bool { return k.grant.Live(now) })
	if !ok {
		return false, st, false
	}
	st.Grant, st.ApprovalEnded = kept.grant, kept.approvalEnded
	if st.PersonActive, ok = watch.Kept[bool](m.feed, named(watch.Person, st.Grant.PersonID), nil); !ok {
		return false, st, false
	}
	// A session that is over may have been prolonged, so it is read again.
	st.SessionEnds, ok = watch.Kept(m.feed, named(watch.Session, st.Grant.SessionHash), func(ends time.Time) bool {
		return now.Before(ends) || !st.Grant.Online || st.Grant.Offline
	})
	if !ok {
		return false, st, false
	}
	st.ConsentEpoch, ok = watch.Kept(m.feed, named(watch.Patient, st.Grant.Record()), func(epoch int64) bool {
		return epoch == kept.epoch
	})
	return listed, st, ok
}
