package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/watch"
)

// CreateSession implements identity.Store.
func (p *ports) CreateSession(ctx context.Context, v identity.Session) error {
	return p.write(ctx, `INSERT INTO login_session
		(tenant, hash, person_id, auth_time, amr, language, created, last_seen, ends, idle_ends, ended, browser, device, shared, agent, network, family, replaced, acting)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
		v.Tenant, v.Hash, v.PersonID, micros(v.AuthTime), doc(v.AMR), v.Language, micros(v.Created),
		micros(v.LastSeen), micros(v.Ends), micros(v.IdleEnds), micros(v.Ended), v.Browser, v.Device, v.Shared, v.Agent, v.Network,
		v.Family, micros(v.Replaced), v.Acting)
}

const sessionColumns = `s.tenant, s.hash, s.person_id, s.auth_time, s.amr, s.language, s.created, s.last_seen, s.ends, s.idle_ends, s.ended,
	s.browser, s.device, s.shared, s.agent, s.network, s.family, s.replaced, s.acting`

// sessionInto are the places of sessionColumns.
func sessionInto(v *identity.Session) []any {
	return []any{&v.Tenant, &v.Hash, &v.PersonID, into(&v.AuthTime), doc(&v.AMR), &v.Language, into(&v.Created),
		into(&v.LastSeen), into(&v.Ends), into(&v.IdleEnds), into(&v.Ended),
		&v.Browser, &v.Device, &v.Shared, &v.Agent, &v.Network, &v.Family, into(&v.Replaced), &v.Acting}
}

// SessionByHash implements identity.Store.
func (p *ports) SessionByHash(ctx context.Context, tenant, hash string) (identity.Session, error) {
	return one(ctx, p, "session", func(r Row) (v identity.Session, err error) {
		return v, r.Scan(sessionInto(&v)...)
	}, `SELECT `+sessionColumns+` FROM login_session s WHERE s.tenant = $1 AND s.hash = $2`, tenant, hash)
}

// SessionWithPerson implements identity.Store, with one row for each identity
// of the account.
func (p *ports) SessionWithPerson(ctx context.Context, tenant, hash string) (v identity.Session, who identity.Person, err error) {
	v, kept, err := p.sessionWithPerson(ctx, tenant, hash)
	if err == nil {
		who, err = kept.row.opened(ctx, p, kept.ids)
	}
	return v, who, err
}

func (p *ports) sessionWithPerson(ctx context.Context, tenant, hash string) (v identity.Session, kept keptPerson, err error) {
	kept.ids, err = list(ctx, p, func(r Row) (identity.Identity, error) {
		return kept.row.scanWith(r, sessionInto(&v)...)
	}, `SELECT `+personColumns+`, `+sessionColumns+`
		FROM login_session s JOIN person p ON p.tenant = s.tenant AND p.id = s.person_id
		LEFT JOIN person_identity i ON i.tenant = p.tenant AND i.person_id = p.id
		WHERE s.tenant = $1 AND s.hash = $2 ORDER BY i.position`, tenant, hash)
	if err == nil && len(kept.ids) == 0 {
		err = notFound("session")
	}
	return v, kept, err
}

// UpdateSession implements identity.Store. A session that was ended meanwhile
// stays ended, whatever the given value says.
func (p *ports) UpdateSession(ctx context.Context, v identity.Session) error {
	update := func(p *ports) (bool, error) {
		found, err := p.updateSession(ctx, v)
		switch {
		case err != nil:
			return false, err
		case !found:
			return false, notFound("session")
		case v.Ended.IsZero():
			return true, nil
		}
		return true, p.changed(ctx, watch.Change{Tenant: v.Tenant, Kind: watch.Session, Key: v.Hash})
	}
	if v.Ended.IsZero() {
		_, err := update(p)
		return err
	}
	_, err := p.revoking(ctx, journal.Entry{Tenant: v.Tenant, Kind: journal.Session, Subject: v.Hash}, update)
	return err
}

func (p *ports) updateSession(ctx context.Context, v identity.Session) (found bool, err error) {
	return p.won(ctx, `UPDATE login_session SET auth_time = $3, amr = $4, language = $5, last_seen = $6,
		ends = $7, idle_ends = $8, ended = CASE WHEN ended <> 0 THEN ended ELSE $9 END
		WHERE tenant = $1 AND hash = $2`,
		v.Tenant, v.Hash, micros(v.AuthTime), doc(v.AMR), v.Language, micros(v.LastSeen),
		micros(v.Ends), micros(v.IdleEnds), micros(v.Ended))
}

// EndSession implements identity.Store.
func (p *ports) EndSession(ctx context.Context, tenant, hash string, t time.Time) error {
	e := journal.Entry{Tenant: tenant, Kind: journal.Session, Subject: hash}
	_, err := p.revoking(ctx, e, func(p *ports) (bool, error) {
		return p.alter(ctx, watch.Change{Tenant: tenant, Kind: watch.Session, Key: hash},
			`UPDATE login_session SET ended = $3 WHERE tenant = $1 AND hash = $2 AND ended = 0`, tenant, hash, micros(t))
	})
	return err
}

// CountFailure implements identity.Store. The row of the key is locked first,
// so that of parallel tries each sees the ones before it.
func (p *ports) CountFailure(ctx context.Context, tenant, key string, now time.Time, window time.Duration) (int, error) {
	var n int
	err := p.atomic(ctx, func(p *ports) error {
		err := p.write(ctx, `INSERT INTO login_failure_key (tenant, key, newest) VALUES ($1, $2, $3)
			ON CONFLICT (tenant, key) DO UPDATE SET newest = excluded.newest`, tenant, key, micros(now))
		if err != nil {
			return err
		}
		err = p.write(ctx, `INSERT INTO login_failure (tenant, key, at, id) VALUES ($1, $2, $3, $4)`,
			tenant, key, micros(now), p.ids.ID())
		if err != nil {
			return err
		}
		// Whoever locked the row before may have read the clock later.
		n, err = p.Failures(ctx, tenant, key, now.Add(window), 2*window)
		return err
	})
	return n, err
}

// Failures implements identity.Store.
func (p *ports) Failures(ctx context.Context, tenant, key string, now time.Time, window time.Duration) (int, error) {
	n, err := one(ctx, p, "failure", scanInt,
		`SELECT COUNT(*) FROM login_failure WHERE tenant = $1 AND key = $2 AND at > $3 AND at <= $4`,
		tenant, key, micros(now.Add(-window)), micros(now))
	return int(n), err
}

// ClearFailures implements identity.Store.
func (p *ports) ClearFailures(ctx context.Context, tenant, key string) error {
	return p.write(ctx, `DELETE FROM login_failure WHERE tenant = $1 AND key = $2`, tenant, key)
}

// SessionsOfPerson implements identity.Devices.
func (p *ports) SessionsOfPerson(ctx context.Context, tenant, personID string, now time.Time) ([]identity.Session, error) {
	return list(ctx, p, func(r Row) (v identity.Session, err error) {
		return v, r.Scan(sessionInto(&v)...)
	}, `SELECT `+sessionColumns+` FROM login_session s
		WHERE s.tenant = $1 AND s.person_id = $2 AND s.ended = 0 AND s.replaced = 0 AND s.ends > $3 AND s.idle_ends > $3
		ORDER BY s.created DESC, s.hash`, tenant, personID, micros(now))
}

// ReplaceSession implements identity.Devices.
func (p *ports) ReplaceSession(ctx context.Context, tenant, hash, family string, t time.Time) error {
	_, err := p.alter(ctx, watch.Change{Tenant: tenant, Kind: watch.Session, Key: hash},
		`UPDATE login_session SET replaced = $4, family = $3 WHERE tenant = $1 AND hash = $2 AND replaced = 0`, tenant, hash, family, micros(t))
	return err
}

// ReplacedSessions implements identity.Devices.
func (p *ports) ReplacedSessions(ctx context.Context, v identity.Session) ([]string, error) {
	return list(ctx, p, func(r Row) (hash string, err error) {
		return hash, r.Scan(&hash)
	}, `SELECT hash FROM login_session
		WHERE tenant = $1 AND person_id = $2 AND family = $3 AND replaced <> 0 AND ended = 0 ORDER BY created, hash`,
		v.Tenant, v.PersonID, v.Family)
}

// DeviceOf implements identity.Devices.
func (p *ports) DeviceOf(ctx context.Context, tenant, personID, hash string) (identity.Device, error) {
	return one(ctx, p, "device", scanKnownDevice, `SELECT tenant, person_id, hash, agent, network, created, last_seen FROM login_device
		WHERE tenant = $1 AND person_id = $2 AND hash = $3`, tenant, personID, hash)
}

func scanKnownDevice(r Row) (v identity.Device, err error) {
	return v, r.Scan(&v.Tenant, &v.PersonID, &v.Hash, &v.Agent, &v.Network, into(&v.Created), into(&v.LastSeen))
}

// DevicesOfPerson implements identity.Devices.
func (p *ports) DevicesOfPerson(ctx context.Context, tenant, personID string) ([]identity.Device, error) {
	return list(ctx, p, scanKnownDevice, `SELECT tenant, person_id, hash, agent, network, created, last_seen FROM login_device
		WHERE tenant = $1 AND person_id = $2 ORDER BY hash`, tenant, personID)
}

// PutDevice implements identity.Devices.
func (p *ports) PutDevice(ctx context.Context, v identity.Device) error {
	return p.write(ctx, `INSERT INTO login_device (tenant, person_id, hash, agent, network, created, last_seen)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant, person_id, hash) DO UPDATE SET agent = excluded.agent, network = excluded.network, last_seen = excluded.last_seen`,
		v.Tenant, v.PersonID, v.Hash, v.Agent, v.Network, micros(v.Created), micros(v.LastSeen))
}

// DropDevice implements identity.Devices.
func (p *ports) DropDevice(ctx context.Context, tenant, personID, hash string) error {
	return p.write(ctx, `DELETE FROM login_device WHERE tenant = $1 AND person_id = $2 AND hash = $3`, tenant, personID, hash)
}
