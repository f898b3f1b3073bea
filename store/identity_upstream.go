package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/keys"
)

// NoteUpstream implements identity.Upstreams.
func (p *ports) NoteUpstream(ctx context.Context, v identity.UpstreamSession) error {
	return p.write(ctx, `INSERT INTO upstream_session (`+upstreamColumns+`) VALUES ($1, $2, $3, $4, $5, $6)`,
		v.Tenant, v.Hash, v.Provider, v.Subject, v.Session, micros(v.Ends))
}

const upstreamColumns = `tenant, hash, provider, subject, session, ends`

func scanUpstream(r Row) (v identity.UpstreamSession, err error) {
	return v, r.Scan(&v.Tenant, &v.Hash, &v.Provider, &v.Subject, &v.Session, into(&v.Ends))
}

// UpstreamOf implements identity.Upstreams.
func (p *ports) UpstreamOf(ctx context.Context, tenant, hash string) (identity.UpstreamSession, error) {
	return one(ctx, p, "upstream-session", scanUpstream,
		`SELECT `+upstreamColumns+` FROM upstream_session WHERE tenant = $1 AND hash = $2`, tenant, hash)
}

// UpstreamSessions implements identity.Upstreams.
func (p *ports) UpstreamSessions(ctx context.Context, tenant, provider, subject, session string, now time.Time) ([]identity.UpstreamSession, error) {
	sql, args := `SELECT `+upstreamColumns+` FROM upstream_session WHERE tenant = $1 AND provider = $2 AND ends > $3`, []any{tenant, provider, micros(now)}
	switch {
	case subject == "" && session == "":
		return nil, nil
	case subject == "":
		sql, args = sql+` AND session = $4`, append(args, session)
	case session == "":
		sql, args = sql+` AND subject = $4`, append(args, subject)
	default:
		sql, args = sql+` AND session = $4 AND subject = $5`, append(args, session, subject)
	}
	return list(ctx, p, scanUpstream, sql+` ORDER BY hash`, args...)
}

// KeepAnswer implements identity.Answers.
func (p *ports) KeepAnswer(ctx context.Context, tenant, id, body string, ends time.Time) error {
	return p.write(ctx, `INSERT INTO upstream_answer (tenant, id, ends, body) VALUES ($1, $2, $3, $4)`, tenant, id, micros(ends), body)
}

// TakeAnswer implements identity.Answers.
func (p *ports) TakeAnswer(ctx context.Context, tenant, id string, now time.Time) (body string, err error) {
	err = p.atomic(ctx, func(tx *ports) error {
		body, err = one(ctx, tx, "answer", func(r Row) (v string, err error) {
			return v, r.Scan(&v)
		}, `SELECT body FROM upstream_answer WHERE tenant = $1 AND id = $2 AND ends > $3`, tenant, id, micros(now))
		if err != nil {
			return err
		}
		won, err := tx.won(ctx, `DELETE FROM upstream_answer WHERE tenant = $1 AND id = $2`, tenant, id)
		if err == nil && !won {
			err = notFound("answer")
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return body, nil
}

func matchPlace(tenant, id string) keys.Place {
	return keys.Place{Tenant: tenant, Table: "upstream_match", Column: "body", Row: id}
}

// PutMatch implements identity.Matches.
func (p *ports) PutMatch(ctx context.Context, m identity.Match) error {
	body, err := p.sealDoc(ctx, matchPlace(m.Tenant, m.ID), m)
	if err != nil {
		return err
	}
	return p.write(ctx, `INSERT INTO upstream_match (tenant, id, state, created, body) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant, id) DO UPDATE SET state = excluded.state, created = excluded.created, body = excluded.body`,
		m.Tenant, m.ID, string(m.State), micros(m.Created), body)
}

// matches reads rows and opens them afterwards: the sealer may need the connection
// for a key.
func (p *ports) matches(ctx context.Context, sql string, args ...any) ([]identity.Match, error) {
	type sealed struct{ tenant, id, body string }
	rows, err := list(ctx, p, func(r Row) (v sealed, err error) {
		return v, r.Scan(&v.tenant, &v.id, &v.body)
	}, `SELECT tenant, id, body FROM upstream_match WHERE tenant = $1 AND `+sql, args...)
	out := make([]identity.Match, len(rows))
	for i := 0; err == nil && i < len(rows); i++ {
		err = p.openDoc(ctx, matchPlace(rows[i].tenant, rows[i].id), rows[i].body, &out[i])
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// MatchByID implements identity.Matches.
func (p *ports) MatchByID(ctx context.Context, tenant, id string) (identity.Match, error) {
	all, err := p.matches(ctx, `id = $2`, tenant, id)
	if err == nil && len(all) == 0 {
		err = notFound("match")
	}
	if err != nil {
		return identity.Match{}, err
	}
	return all[0], nil
}

// OpenMatches implements identity.Matches.
func (p *ports) OpenMatches(ctx context.Context, tenant string, limit int) ([]identity.Match, error) {
	return p.matches(ctx, `state = $2 ORDER BY created, id LIMIT $3`, tenant, string(identity.MatchOpen), limit)
}
