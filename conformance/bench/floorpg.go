package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// floorConns bounds the floor's pool. More do not help on few cores.
const floorConns = 16

// floorSchema is the least that the workloads need. Random keys are indexed
// once and nothing else is.
const floorSchema = `
CREATE TABLE IF NOT EXISTS guard (id bytea PRIMARY KEY, client text NOT NULL, expires timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS token (id bytea PRIMARY KEY, client text NOT NULL, scope text NOT NULL, expires timestamptz NOT NULL, used boolean NOT NULL DEFAULT false);
CREATE TABLE IF NOT EXISTS flow (id text PRIMARY KEY, params text NOT NULL, expires timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS code (id bytea PRIMARY KEY, flow text NOT NULL, used boolean NOT NULL DEFAULT false);`

const (
	issueSQL = `WITH g AS (INSERT INTO guard VALUES ($1, $3, now() + interval '5 minutes'))
		INSERT INTO token VALUES ($2, $3, $4, now() + interval '1 hour')`
	// A session is a row of token. It is asked for in the statement that needs it.
	beginSQL   = `INSERT INTO flow SELECT $1, $2, now() + interval '10 minutes' FROM token WHERE id = $3 AND NOT used AND expires > now()`
	asked      = `SELECT f.id, f.params FROM flow f, token s WHERE f.id = $1 AND f.expires > now() AND s.id = $2 AND NOT s.used AND s.expires > now()`
	pendingSQL = `SELECT params FROM (` + asked + `) f`
	decideSQL  = `WITH f AS (` + asked + `), c AS (INSERT INTO code SELECT $3, id FROM f) SELECT params FROM f`
	redeemSQL  = `WITH u AS (UPDATE code SET used = true WHERE id = $1 AND NOT used RETURNING flow),
		t AS (INSERT INTO token SELECT $2, $3, $4, now() + interval '1 hour' FROM u) SELECT params FROM flow f, u WHERE f.id = u.flow`
	seedSQL   = `INSERT INTO token VALUES ($1, $2, $3, now() + interval '90 days')`
	rotateSQL = `WITH u AS (UPDATE token SET used = true WHERE id = $1 AND NOT used RETURNING client, scope, expires)
		INSERT INTO token SELECT $2, client, scope, expires FROM u`
	knownSQL = `SELECT true FROM token WHERE id = $1`
)

// pgStore is the floor on PostgreSQL: one statement per request.
type pgStore struct{ pool *pgxpool.Pool }

func openPgStore(ctx context.Context, dsn string) (*pgStore, error) {
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	c.MaxConns = floorConns
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, floorSchema); err != nil {
		pool.Close()
		return nil, err
	}
	return &pgStore{pool}, nil
}

var errReplay = errors.New("used before or unknown")

// one runs a statement that must change one row.
func (s *pgStore) one(ctx context.Context, sql string, args ...any) error {
	tag, err := s.pool.Exec(ctx, sql, args...)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "23505" || err == nil && tag.RowsAffected() != 1 {
		return errReplay
	}
	return err
}

func (s *pgStore) Issue(ctx context.Context, guard, token []byte) error {
	return s.one(ctx, issueSQL, guard, token, backendID, backendScope)
}

func (s *pgStore) Begin(ctx context.Context, session []byte, id, params string) error {
	return s.one(ctx, beginSQL, id, params, session)
}

// params runs a statement that gives a request.
func (s *pgStore) params(ctx context.Context, sql string, args ...any) (params string, err error) {
	if err = s.pool.QueryRow(ctx, sql, args...).Scan(&params); errors.Is(err, pgx.ErrNoRows) {
		err = errReplay
	}
	return params, err
}

func (s *pgStore) Pending(ctx context.Context, session []byte, id string) (string, error) {
	return s.params(ctx, pendingSQL, id, session)
}

func (s *pgStore) Decide(ctx context.Context, session []byte, id string, code []byte) (string, error) {
	return s.params(ctx, decideSQL, id, session, code)
}

func (s *pgStore) Redeem(ctx context.Context, code, token []byte) (string, error) {
	return s.params(ctx, redeemSQL, code, token, appID, offlineScope)
}

func (s *pgStore) Seed(ctx context.Context, token []byte) error {
	return s.one(ctx, seedSQL, token, appID, offlineScope)
}

func (s *pgStore) Rotate(ctx context.Context, token, next []byte) error {
	return s.one(ctx, rotateSQL, token, next)
}

func (s *pgStore) Known(ctx context.Context, token []byte) error {
	var yes bool
	return s.pool.QueryRow(ctx, knownSQL, token).Scan(&yes)
}

func (s *pgStore) Close() error {
	s.pool.Close()
	return nil
}
