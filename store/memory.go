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
// others read. What a decision commits to (redeeming, signing in) reads the Store
// itself; a rotation is told by the Store at its commit. Values are shared: nobody may change them.
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

// Registered reports whether a browser may call from the origin for some enabled
// client (SMART CORS-02). Anybody can ask, so the clients are not read each time.
// Errors: errs.Unavailable.
func (m *Memory) Registered(ctx context.Context, tenant, origin string) (bool, error) {
	all, err := m.registered(ctx, tenant)
	return all.origins[origin], err
}

// Evaluates reports whether some enabled client may ask for decisions, which
// anybody can ask too. Errors: errs.Unavailable.
func (m *Memory) Evaluates(ctx context.Context, tenant string) (bool, error) {
	all, err := m.registered(ctx, tenant)
	return all.evaluates, err
}

// together is what all enabled clients of a tenant have in common.
type together struct {
	origins   map[string]bool
	evaluates bool
}

func (m *Memory) registered(ctx context.Context, tenant string) (together, error) {
	return watch.Load(ctx, m.feed, watch.Change{Tenant: tenant, Kind: watch.Client, Key: watch.Whole}, nil,
		func(ctx context.Context) (together, error) {
			clients, err := m.Clients(ctx, tenant)
			out := together{origins: map[string]bool{}}
			for _, c := range clients {
				for _, o := range c.Origins() {
					out.origins[o] = out.origins[o] || c.RunsAt(o)
				}
				out.evaluates = out.evaluates || c.EvaluateAccess && !c.Disabled
			}
			return out, err
		})
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
	reading.Keep(watch.Change{Tenant: tenant, Kind: watch.Token, Key: t.ID}, listed)
	keepStanding(reading, tenant, st)
	return listed, st, nil
}

// RefreshStanding implements oauth.TokenStore. From memory it says of an authentic
// token of a standing grant that it is the newest, to those only whose rotation
// finds out, and that the grant was not revoked.
func (m *Memory) RefreshStanding(ctx context.Context, tenant string, ref oauth.RefreshRef) (oauth.RefreshToken, oauth.Standing, error) {
	if ref.Rotates && ref.GrantID != "" {
		if st, ok := m.keptGrantStanding(tenant, ref.GrantID); ok {
			g := st.Grant
			return oauth.RefreshToken{Tenant: tenant, Hash: ref.Hash, GrantID: g.ID, ClientID: g.ClientID, Expires: g.Ends}, st, nil
		}
	}
	reading := m.feed.Begin()
	v, st, err := m.Store.RefreshStanding(ctx, tenant, ref)
	if err == nil {
		keepStanding(reading, tenant, st)
	}
	return v, st, err
}

// keepStanding keeps the parts of a standing that was read.
func keepStanding(reading watch.Reading, tenant string, st oauth.Standing) {
	keep := func(kind watch.Kind, key string, value any) {
		reading.Keep(watch.Change{Tenant: tenant, Kind: kind, Key: key}, value)
	}
	if st.Client.ID != "" {
		keep(watch.Client, st.Client.ID, st.Client)
	}
	if g := st.Grant; g.ID != "" {
		keep(watch.Grant, g.ID, keptGrant{g, st.ConsentEpoch, st.ApprovalEnded})
		keep(watch.Person, g.PersonID, st.PersonActive)
		keep(watch.Session, g.SessionHash, st.SessionEnds)
		keep(watch.Patient, g.Record(), st.ConsentEpoch)
	}
}

// keptGrant is a grant and how its approval stood at a consent epoch: with
// another epoch the approval may be another one.
type keptGrant struct {
	grant         oauth.Grant
	epoch         int64
	approvalEnded bool
}

// keptStanding puts a token's standing together from memory.
func (m *Memory) keptStanding(tenant string, t oauth.TokenRef) (listed bool, st oauth.Standing, ok bool) {
	if listed, ok = watch.Kept[bool](m.feed, watch.Change{Tenant: tenant, Kind: watch.Token, Key: t.ID}, nil); !ok {
		return false, st, false
	}
	if t.GrantID != "" {
		st, ok = m.keptGrantStanding(tenant, t.GrantID)
		return listed, st, ok
	}
	st.Client, ok = watch.Kept[oauth.Client](m.feed, watch.Change{Tenant: tenant, Kind: watch.Client, Key: t.ClientID}, nil)
	return listed, st, ok
}

// keptGrantStanding puts a grant's standing together from memory. A refresh on
// another node moves the end of a grant without a word, so an ended copy is not
// believed.
func (m *Memory) keptGrantStanding(tenant, id string) (st oauth.Standing, ok bool) {
	named := func(kind watch.Kind, key string) watch.Change {
		return watch.Change{Tenant: tenant, Kind: kind, Key: key}
	}
	now := m.clock.Now()
	kept, ok := watch.Kept(m.feed, named(watch.Grant, id), func(k keptGrant) bool { return k.grant.Live(now) })
	if !ok {
		return st, false
	}
	st.Grant, st.ApprovalEnded = kept.grant, kept.approvalEnded
	if st.Client, ok = watch.Kept[oauth.Client](m.feed, named(watch.Client, st.Grant.ClientID), nil); !ok {
		return st, false
	}
	if st.PersonActive, ok = watch.Kept[bool](m.feed, named(watch.Person, st.Grant.PersonID), nil); !ok {
		return st, false
	}
	// A session that is over may have been prolonged, so it is read again.
	st.SessionEnds, ok = watch.Kept(m.feed, named(watch.Session, st.Grant.SessionHash), func(ends time.Time) bool {
		return now.Before(ends) || !st.Grant.Online || st.Grant.Offline
	})
	if !ok {
		return st, false
	}
	st.ConsentEpoch, ok = watch.Kept(m.feed, named(watch.Patient, st.Grant.Record()), func(epoch int64) bool {
		return epoch == kept.epoch
	})
	return st, ok
}
