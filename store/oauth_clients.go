package store

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/watch"
	"github.com/mandate-health/mandate/oauth"
)

func (p *ports) scanClient(r Row) (oauth.Client, error) {
	var tenant, id, body string
	var epoch int64
	if err := r.Scan(&tenant, &id, &epoch, &body); err != nil {
		return oauth.Client{}, err
	}
	return p.memo.decode(tenant, id, epoch, body)
}

// ClientByID implements oauth.ClientStore.
func (p *ports) ClientByID(ctx context.Context, tenant, id string) (oauth.Client, error) {
	return one(ctx, p, "client", p.scanClient,
		`SELECT tenant, id, epoch, body FROM client WHERE tenant = $1 AND id = $2`, tenant, id)
}

// Clients implements oauth.ClientStore.
func (p *ports) Clients(ctx context.Context, tenant string) ([]oauth.Client, error) {
	return list(ctx, p, p.scanClient, `SELECT tenant, id, epoch, body FROM client WHERE tenant = $1 ORDER BY id`, tenant)
}

// PutClient implements oauth.ClientStore. The epoch never goes back, so that a
// writer with an old copy cannot bring dead tokens to life.
func (p *ports) PutClient(ctx context.Context, v oauth.Client) error {
	return p.atomic(ctx, func(p *ports) error {
		have, err := p.ClientByID(ctx, v.Tenant, v.ID)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
		if err == nil && narrows(have, v) {
			err = p.noteRevoked(ctx, journal.Entry{Tenant: v.Tenant, Kind: journal.Client, Subject: v.ID})
			if err != nil {
				return err
			}
		}
		_, err = p.alter(ctx, watch.Change{Tenant: v.Tenant, Kind: watch.Client, Key: v.ID}, `INSERT INTO client (tenant, id, epoch, body) VALUES ($1, $2, $3, $4)
			ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body,
				epoch = CASE WHEN excluded.epoch > client.epoch THEN excluded.epoch ELSE client.epoch END`,
			v.Tenant, v.ID, v.Epoch, doc(v))
		return err
	})
}

// RenewSecret implements oauth.ClientStore. The text is replaced where it stands,
// so that what another node or a newer version wrote beside it is kept. Forms of
// secrets have no character that JSON writes otherwise.
func (p *ports) RenewSecret(ctx context.Context, tenant, id, was, fresh string) (bool, error) {
	return p.alter(ctx, watch.Change{Tenant: tenant, Kind: watch.Client, Key: id},
		`UPDATE client SET body = REPLACE(body, $3, $4) WHERE tenant = $1 AND id = $2 AND REPLACE(body, $3, $4) <> body`,
		tenant, id, `"`+was+`"`, `"`+fresh+`"`)
}

// narrows reports whether something ends that the client could do before: it
// was disabled, its tokens were ended, or a credential was taken from it.
func narrows(before, after oauth.Client) bool {
	for _, hash := range before.SecretHashes {
		if !slices.Contains(after.SecretHashes, hash) {
			return true
		}
	}
	return after.Disabled && !before.Disabled || after.Epoch > before.Epoch || before.JWKSURI != after.JWKSURI ||
		len(before.JWKS) > 0 && string(before.JWKS) != string(after.JWKS)
}

// CreateLaunch implements oauth.ClientStore.
func (p *ports) CreateLaunch(ctx context.Context, v oauth.Launch) error {
	launch, err := p.sealDoc(ctx, launchContext(v), v.Context)
	if err != nil {
		return err
	}
	return p.write(ctx, `INSERT INTO launch
		(tenant, hash, ehr_client, client_id, launch_user, aud, context, created, expires, used, flow)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		v.Tenant, v.Hash, v.EHRClient, v.ClientID, v.User.String(), v.Aud, launch,
		micros(v.Created), micros(v.Expires), micros(v.Used), v.Flow)
}

const launchColumns = `tenant, hash, ehr_client, client_id, launch_user, aud, context, created, expires, used, flow`

// sealedLaunch is a launch as it is stored.
type sealedLaunch struct {
	oauth.Launch
	sealed string
}

func scanLaunch(r Row) (v sealedLaunch, err error) {
	err = r.Scan(&v.Tenant, &v.Hash, &v.EHRClient, &v.ClientID, reference{&v.User}, &v.Aud, &v.sealed,
		into(&v.Created), into(&v.Expires), into(&v.Used), &v.Flow)
	return v, err
}

// LaunchByHash implements oauth.ClientStore.
func (p *ports) LaunchByHash(ctx context.Context, tenant, hash string) (oauth.Launch, error) {
	v, err := one(ctx, p, "launch", scanLaunch, `SELECT `+launchColumns+` FROM launch WHERE tenant = $1 AND hash = $2`, tenant, hash)
	if err != nil {
		return oauth.Launch{}, err
	}
	return v.Launch, p.openDoc(ctx, launchContext(v.Launch), v.sealed, &v.Context)
}

// LaunchesUnder implements oauth.ClientStore.
func (p *ports) LaunchesUnder(ctx context.Context, tenant string, t time.Time, limit int) ([]oauth.Launch, error) {
	rows, err := list(ctx, p, scanLaunch, `SELECT `+launchColumns+` FROM launch
		WHERE tenant = $1 AND expires > $2 ORDER BY created DESC, hash LIMIT $3`, tenant, micros(t), limit)
	if err != nil {
		return nil, err
	}
	var all []oauth.Launch
	for _, v := range rows {
		if err := p.openDoc(ctx, launchContext(v.Launch), v.sealed, &v.Context); err != nil {
			return nil, err
		}
		all = append(all, v.Launch)
	}
	return all, nil
}

func launchContext(v oauth.Launch) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "launch", Column: "context", Row: v.Hash}
}

// UseLaunch implements oauth.ClientStore.
func (p *ports) UseLaunch(ctx context.Context, tenant, hash, flow string, t time.Time) (bool, error) {
	return p.won(ctx, `UPDATE launch SET used = $4, flow = $3 WHERE tenant = $1 AND hash = $2 AND used = 0`,
		tenant, hash, flow, micros(t))
}
