package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/oauth"
)

// CreateDevice implements oauth.DeviceStore.
func (p *ports) CreateDevice(ctx context.Context, v oauth.DeviceRequest) error {
	return p.write(ctx, `INSERT INTO device_code
		(tenant, hash, user_hash, client_id, scope, created, expires, poll_after, polled, answered, grant_id, used)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		v.Tenant, v.Hash, v.UserHash, v.ClientID, v.Scope, micros(v.Created), micros(v.Expires), v.Interval.Microseconds(),
		micros(v.Polled), micros(v.Answered), v.GrantID, micros(v.Used))
}

const deviceColumns = `tenant, hash, user_hash, client_id, scope, created, expires, poll_after, polled, answered, grant_id, used`

func scanDevice(r Row) (v oauth.DeviceRequest, err error) {
	var interval int64
	err = r.Scan(&v.Tenant, &v.Hash, &v.UserHash, &v.ClientID, &v.Scope, into(&v.Created), into(&v.Expires), &interval,
		into(&v.Polled), into(&v.Answered), &v.GrantID, into(&v.Used))
	v.Interval = time.Duration(interval) * time.Microsecond
	return v, err
}

// DeviceByHash implements oauth.DeviceStore.
func (p *ports) DeviceByHash(ctx context.Context, tenant, hash string) (oauth.DeviceRequest, error) {
	return one(ctx, p, "device-code", scanDevice, `SELECT `+deviceColumns+` FROM device_code WHERE tenant = $1 AND hash = $2`, tenant, hash)
}

// DeviceByUser implements oauth.DeviceStore.
func (p *ports) DeviceByUser(ctx context.Context, tenant, userHash string) (oauth.DeviceRequest, error) {
	return one(ctx, p, "device-code", scanDevice, `SELECT `+deviceColumns+` FROM device_code WHERE tenant = $1 AND user_hash = $2`, tenant, userHash)
}

// PollDevice implements oauth.DeviceStore.
func (p *ports) PollDevice(ctx context.Context, tenant, hash string, t time.Time, interval time.Duration) error {
	return p.write(ctx, `UPDATE device_code SET polled = $3, poll_after = $4 WHERE tenant = $1 AND hash = $2`,
		tenant, hash, micros(t), interval.Microseconds())
}

// AnswerDevice implements oauth.DeviceStore.
func (p *ports) AnswerDevice(ctx context.Context, tenant, hash, grantID string, t time.Time) (bool, error) {
	return p.won(ctx, `UPDATE device_code SET answered = $4, grant_id = $3 WHERE tenant = $1 AND hash = $2 AND answered = 0`,
		tenant, hash, grantID, micros(t))
}

// UseDevice implements oauth.DeviceStore.
func (p *ports) UseDevice(ctx context.Context, tenant, hash string, t time.Time) (bool, error) {
	return p.won(ctx, `UPDATE device_code SET used = $3 WHERE tenant = $1 AND hash = $2 AND answered <> 0 AND grant_id <> '' AND used = 0`,
		tenant, hash, micros(t))
}
