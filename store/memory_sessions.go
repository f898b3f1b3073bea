package store

import (
	"context"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/watch"
)

// keptPerson is an account as it is stored: names are opened when they are asked
// for and not kept in memory.
type keptPerson struct {
	row personRow
	ids []identity.Identity
}

// SessionSeen implements identity.Seen.
func (m *Memory) SessionSeen(ctx context.Context, tenant, hash string, good func(identity.Session) bool) (identity.Session, identity.Person, error) {
	session := watch.Change{Tenant: tenant, Kind: watch.Session, Key: hash}.Beside()
	if v, ok := watch.Kept(m.feed, session, good); ok {
		person := watch.Change{Tenant: tenant, Kind: watch.Person, Key: v.PersonID}.Beside()
		if kept, ok := watch.Kept[keptPerson](m.feed, person, nil); ok {
			who, err := kept.opened(ctx, m.Store)
			return v, who, err
		}
	}
	reading := m.feed.Begin()
	v, kept, err := m.sessionWithPerson(ctx, tenant, hash)
	if err != nil {
		return identity.Session{}, identity.Person{}, err
	}
	who, err := kept.opened(ctx, m.Store)
	if err == nil {
		reading.Keep(session, v)
		reading.Keep(watch.Change{Tenant: tenant, Kind: watch.Person, Key: v.PersonID}.Beside(), kept)
	}
	return v, who, err
}

// opened gives the account; the copy stays sealed.
func (k keptPerson) opened(ctx context.Context, s *Store) (identity.Person, error) {
	return k.row.opened(ctx, s.ports, k.ids)
}
