package store

import (
	"context"
	"strings"
	"sync"

	"github.com/mandate-health/mandate/oauth"
)

// clientMemo keeps what the stored text of a client decodes to. It is asked
// with the text itself, so it is never out of date.
type clientMemo struct {
	mu      sync.RWMutex
	decoded map[string]memoised
}

type memoised struct {
	body   string
	client oauth.Client
}

// memoSize bounds the memo; beyond it everything is forgotten.
const memoSize = 4096

func (m *clientMemo) decode(tenant, id string, epoch int64, body string) (oauth.Client, error) {
	key := tenant + "\x00" + id
	m.mu.RLock()
	known, ok := m.decoded[key]
	m.mu.RUnlock()
	if !ok || known.body != body {
		known = memoised{body: body}
		if err := doc(&known.client).Scan(body); err != nil {
			return oauth.Client{}, err
		}
		m.mu.Lock()
		if m.decoded == nil || len(m.decoded) >= memoSize {
			m.decoded = map[string]memoised{}
		}
		m.decoded[key] = known
		m.mu.Unlock()
	}
	c := known.client
	c.Tenant, c.Epoch = tenant, epoch
	return c, nil
}

// standingRow reads the columns of a standing, behind those of head.
type standingRow struct {
	standing oauth.Standing
	body     string
	epoch    int64
	grant    sealedGrant
}

func (s *standingRow) scan(p *ports, r Row, head ...any) (oauth.Standing, error) {
	err := r.Scan(append(append(head, &s.epoch, &s.body, &s.standing.PersonActive, into(&s.standing.SessionEnds), &s.standing.ConsentEpoch,
		&s.standing.ApprovalEnded), s.grant.into()...)...)
	if err == nil {
		err = s.grant.read()
	}
	if err != nil {
		return oauth.Standing{}, err
	}
	v := &s.grant.Grant
	if s.body != "" {
		s.standing.Client, err = p.memo.decode(v.Tenant, v.ClientID, s.epoch, s.body)
	}
	s.standing.Grant = *v
	return s.standing, err
}

// standingColumns are what standingRow reads: from the grant g, its client c,
// person p, log-in session s, patient's consent epoch e and approval a.
var standingColumns = `COALESCE(c.epoch, 0), COALESCE(c.body, ''), p.id IS NOT NULL AND NOT p.disabled,
	CASE WHEN s.ended = 0 THEN s.ends ELSE 0 END, COALESCE(e.epoch, 0), COALESCE(a.status, 'active') <> 'active', g.` +
	strings.Join(strings.FieldsFunc(grantColumns, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' }), ", g.")

const standingJoins = `
	LEFT JOIN client c ON c.tenant = g.tenant AND c.id = g.client_id
	LEFT JOIN person p ON p.tenant = g.tenant AND p.id = g.person_id
	LEFT JOIN login_session s ON s.tenant = g.tenant AND s.hash = g.session_hash
	LEFT JOIN consent_epoch e ON e.tenant = g.tenant AND e.patient = g.patient
	LEFT JOIN consent a ON a.tenant = g.tenant AND a.id = g.consent_id`

// standing reads a standing behind other columns.
func (p *ports) standing(ctx context.Context, what string, head []any, sql string, args ...any) (oauth.Standing, error) {
	var row standingRow
	st, err := one(ctx, p, what, func(r Row) (oauth.Standing, error) { return row.scan(p, r, head...) }, sql, args...)
	if err != nil {
		return oauth.Standing{}, err
	}
	return st, p.openContext(ctx, &st.Grant, row.grant.context)
}

// TokenStanding implements oauth.TokenStore.
func (p *ports) TokenStanding(ctx context.Context, tenant string, t oauth.TokenRef) (revoked bool, st oauth.Standing, err error) {
	if t.GrantID == "" {
		var n int64
		st.Client, err = one(ctx, p, "client", func(r Row) (oauth.Client, error) {
			var epoch int64
			var body string
			if err := r.Scan(&n, &epoch, &body); err != nil {
				return oauth.Client{}, err
			}
			return p.memo.decode(tenant, t.ClientID, epoch, body)
		}, `SELECT (SELECT COUNT(*) FROM revoked_token WHERE tenant = $1 AND jti = $3), epoch, body
			FROM client WHERE tenant = $1 AND id = $2`, tenant, t.ClientID, t.ID)
		return n > 0, st, err
	}
	var n int64
	st, err = p.standing(ctx, "grant", []any{&n}, `SELECT (SELECT COUNT(*) FROM revoked_token WHERE tenant = $1 AND jti = $3), `+standingColumns+`
		FROM app_grant g`+standingJoins+` WHERE g.tenant = $1 AND g.id = $2`, tenant, t.GrantID, t.ID)
	return n > 0, st, err
}
