package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/watch"
	"github.com/mandate-health/mandate/oauth"
)

// CreateCode implements oauth.TokenStore.
func (p *ports) CreateCode(ctx context.Context, v oauth.Code) error {
	hash, _, _ := p.hashForms(v.Hash)
	return p.write(ctx, `INSERT INTO auth_code
		(tenant, hash, grant_id, client_id, redirect_uri, challenge, nonce, issued, expires, used, cnf)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		v.Tenant, hash, v.GrantID, v.ClientID, v.RedirectURI, v.Challenge, v.Nonce,
		micros(v.Issued), micros(v.Expires), micros(v.Used), doc(&v.Confirmation))
}

// CodeByHash implements oauth.TokenStore.
func (p *ports) CodeByHash(ctx context.Context, tenant, hash string) (oauth.Code, error) {
	_, short, long := p.hashForms(hash)
	return one(ctx, p, "code", func(r Row) (v oauth.Code, err error) {
		v.Hash = hash
		err = r.Scan(&v.Tenant, &v.GrantID, &v.ClientID, &v.RedirectURI, &v.Challenge, &v.Nonce,
			into(&v.Issued), into(&v.Expires), into(&v.Used), doc(&v.Confirmation))
		return v, err
	}, `SELECT tenant, grant_id, client_id, redirect_uri, challenge, nonce, issued, expires, used, cnf
		FROM auth_code WHERE tenant = $1 AND hash IN ($2, $3)`, tenant, short, long)
}

// UseCode implements oauth.TokenStore.
func (p *ports) UseCode(ctx context.Context, c oauth.Code, t time.Time) (bool, error) {
	if c.Named {
		return p.useNamed(ctx, c, t)
	}
	_, short, long := p.hashForms(c.Hash)
	return p.won(ctx, `UPDATE auth_code SET used = $4 WHERE tenant = $1 AND hash IN ($2, $3) AND used = 0`,
		c.Tenant, short, long, micros(t))
}

// assertionGuard digests issuer and jti into keys of fixed length, with 128 and
// with all 256 bits. The length of the issuer goes first, so that no two pairs
// give the same input. Who finds two pairs with one guard can only have an
// assertion of his own refused.
func assertionGuard(issuer, jti string) (short, long string) {
	h := sha256.New()
	n := uint32(len(issuer))
	h.Write([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	h.Write([]byte(issuer))
	h.Write([]byte(jti))
	sum := h.Sum(nil)
	return shortHash(sum), base64.RawURLEncoding.EncodeToString(sum)
}

// UseAssertion implements oauth.TokenStore. Expired guards still count until
// Housekeep removes them. A guard of either length forbids.
func (p *ports) UseAssertion(ctx context.Context, tenant, issuer, jti string, expires time.Time) error {
	short, long := assertionGuard(issuer, jti)
	var fresh bool
	var err error
	if p.newest.Load() {
		fresh, err = p.addUnless(ctx, "tenant, guard", `INSERT INTO used_assertion (tenant, guard, expires)
			SELECT $1, $2, CAST($3 AS BIGINT) WHERE NOT EXISTS (SELECT 1 FROM used_assertion WHERE tenant = $1 AND guard = $4)`,
			tenant, short, micros(expires), long)
	} else {
		fresh, err = p.add(ctx, "tenant, guard", `INSERT INTO used_assertion (tenant, guard, expires) VALUES ($1, $2, $3)`,
			tenant, long, micros(expires))
	}
	if err == nil && !fresh {
		return errs.New(errs.Conflict, "assertion-replayed", "The jti of this assertion was used before.")
	}
	return err
}

// RevokeToken implements oauth.TokenStore.
func (p *ports) RevokeToken(ctx context.Context, tenant, jti string, expires time.Time) error {
	e := journal.Entry{Tenant: tenant, Kind: journal.Token, Subject: jti, Until: expires.UTC()}
	_, err := p.revoking(ctx, e, func(p *ports) (bool, error) {
		return p.alter(ctx, watch.Change{Tenant: tenant, Kind: watch.Token, Key: jti}, `INSERT INTO revoked_token (tenant, jti, expires) VALUES ($1, $2, $3)
			ON CONFLICT (tenant, jti) DO UPDATE SET expires =
				CASE WHEN excluded.expires > revoked_token.expires THEN excluded.expires ELSE revoked_token.expires END`,
			tenant, jti, micros(expires))
	})
	return err
}

// TokenRevoked implements oauth.TokenStore.
func (p *ports) TokenRevoked(ctx context.Context, tenant, jti string) (bool, error) {
	n, err := one(ctx, p, "revocation", scanInt,
		`SELECT COUNT(*) FROM revoked_token WHERE tenant = $1 AND jti = $2`, tenant, jti)
	return n > 0, err
}
