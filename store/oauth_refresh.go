package store

import (
	"bytes"
	"context"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// chainHash gives the form of a refresh token's hash in refresh_chain: 16 bytes
// of a keyed hash, see shortHash.
func chainHash(hash string) []byte {
	if len(hash) != 64 || !isHex(hash) {
		return []byte(hash)
	}
	return appendHex(nil, hash)[:16]
}

// RefreshStanding implements oauth.TokenStore. A token that names its grant has
// no row there yet when it was given out while a node of the version before ran.
func (p *ports) RefreshStanding(ctx context.Context, tenant string, ref oauth.RefreshRef) (oauth.RefreshToken, oauth.Standing, error) {
	if ref.GrantID != "" {
		v, st, err := p.chainStanding(ctx, tenant, ref)
		if !errs.Is(err, errs.NotFound) {
			return v, st, err
		}
	}
	_, short, long := p.hashForms(ref.Hash)
	v := oauth.RefreshToken{Hash: ref.Hash}
	head := []any{&v.Tenant, &v.GrantID, &v.ClientID, into(&v.Issued), into(&v.Expires), into(&v.Rotated), doc(&v.Confirmation)}
	st, err := p.standing(ctx, "refresh-token", head, `SELECT t.tenant, t.grant_id, t.client_id, t.issued, t.expires, t.rotated, t.cnf, `+
		standingColumns+` FROM refresh_token t JOIN app_grant g ON g.tenant = t.tenant AND g.id = t.grant_id`+standingJoins+`
		WHERE t.tenant = $1 AND t.hash IN ($2, $3)`, tenant, short, long)
	return v, st, err
}

// chainStanding reads the chain that an authentic token names. What is neither
// its newest token nor the one before was rotated longer ago.
func (p *ports) chainStanding(ctx context.Context, tenant string, ref oauth.RefreshRef) (oauth.RefreshToken, oauth.Standing, error) {
	v := oauth.RefreshToken{Tenant: tenant, Hash: ref.Hash, GrantID: ref.GrantID}
	var newest, previous []byte
	st, err := p.standing(ctx, "refresh-token", []any{&newest, &previous, into(&v.Issued), into(&v.Expires), doc(&v.Confirmation)},
		`SELECT t.newest, t.previous, t.issued, t.expires, t.cnf, `+standingColumns+`
		FROM refresh_chain t JOIN app_grant g ON g.tenant = t.tenant AND g.id = t.grant_id`+standingJoins+`
		WHERE t.tenant = $1 AND t.grant_id = $2`, tenant, ref.GrantID)
	v.ClientID = st.Grant.ClientID
	if hash := chainHash(ref.Hash); !bytes.Equal(hash, newest) {
		v.Rotated, v.Spent = v.Issued, !bytes.Equal(hash, previous)
	}
	return v, st, err
}

// RotateRefresh implements oauth.TokenStore. What a token's state is kept in, a
// row of its own or the row of its chain, is tried in the order in which it is
// likely: the second only when the first was answered.
func (p *ports) RotateRefresh(ctx context.Context, r oauth.Rotation) (won bool, err error) {
	err = p.atomic(ctx, func(p *ports) error {
		kept := []func(context.Context, oauth.Rotation) (bool, error){p.rotateChain, p.rotateRow}
		if !p.newest.Load() || !r.Named {
			kept[0], kept[1] = kept[1], kept[0]
		}
		if won, err = kept[0](ctx, r); won || err != nil || r.From == "" {
			return err
		}
		won, err = kept[1](ctx, r)
		return err
	})
	return won, err
}

// standingGrant is a condition of a statement on a table with a grant: it was
// not revoked.
const standingGrant = ` AND EXISTS (SELECT 1 FROM app_grant g WHERE g.tenant = $1 AND g.id = $2 AND g.revoked = 0)`

// rotateChain puts the new token into the row of its chain.
func (p *ports) rotateChain(ctx context.Context, r oauth.Rotation) (bool, error) {
	if r.From == "" && r.Named {
		return p.add(ctx, "tenant, grant_id", `INSERT INTO refresh_chain (tenant, grant_id, newest, previous, issued, expires, cnf)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, r.Tenant, r.GrantID, chainHash(r.To), []byte{}, micros(r.At), micros(r.Expires), doc(r.Confirmation))
	}
	if r.From == "" {
		return p.rotateRow(ctx, r)
	}
	return p.won(ctx, `UPDATE refresh_chain SET newest = $4, previous = $3, issued = $5, expires = $6
		WHERE tenant = $1 AND grant_id = $2 AND newest = $3 AND cnf = $7`+standingGrant,
		r.Tenant, r.GrantID, chainHash(r.From), chainHash(r.To), micros(r.At), micros(r.Expires), doc(r.Confirmation))
}

// rotateRow marks the row of a token as rotated. Its successor gets one too, or
// begins the chain of a grant whose tokens had rows.
func (p *ports) rotateRow(ctx context.Context, r oauth.Rotation) (bool, error) {
	if r.From != "" {
		_, short, long := p.hashForms(r.From)
		won, err := p.won(ctx, `UPDATE refresh_token SET rotated = $5 WHERE tenant = $1 AND grant_id = $2 AND hash IN ($3, $4) AND rotated = 0 AND cnf = $6`+standingGrant,
			r.Tenant, r.GrantID, short, long, micros(r.At), doc(r.Confirmation))
		if !won || err != nil {
			return won, err
		}
	}
	if r.Named && p.newest.Load() {
		return p.add(ctx, "tenant, grant_id", `INSERT INTO refresh_chain (tenant, grant_id, newest, previous, issued, expires, cnf)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, r.Tenant, r.GrantID, chainHash(r.To), chainHash(r.From), micros(r.At), micros(r.Expires), doc(r.Confirmation))
	}
	hash, _, _ := p.hashForms(r.To)
	return p.add(ctx, "tenant, hash", `INSERT INTO refresh_token (tenant, hash, grant_id, client_id, issued, expires, rotated, cnf)
		VALUES ($1, $2, $3, $4, $5, $6, 0, $7)`, r.Tenant, hash, r.GrantID, r.ClientID, micros(r.At), micros(r.Expires), doc(r.Confirmation))
}

// Named reports whether every running node reads refresh tokens that name their
// grant.
func (s *Store) Named() bool { return s.newest.Load() }
