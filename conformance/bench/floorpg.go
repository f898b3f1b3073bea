package main

import (
	"context"
	"errors"

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
	beginSQL   = `INSERT INTO flow VALUES ($1, $2, now() + interval '10 minutes')`
	pendingSQL = `SELECT params FROM flow WHERE id = $1`
	decideSQL  = `INSERT INTO code VALUES ($2, $1)`
	redeemSQL  = `WITH u AS (UPDATE code SET used = true WHERE id = $1 AND NOT used RETURNING flow)
		INSERT INTO token SELECT $2, $3, $4, now() + interval '1 hour' FROM u`
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

func (s *pgStore) Begin(ctx context.Context, id, params string) error {
	return s.one(ctx, beginSQL, id, params)
}

func (s *pgStore) Pending(ctx context.Context, id string) error {
	var params string
	return s.pool.QueryRow(ctx, pendingSQL, id).Scan(&params)
}

func (s *pgStore) Decide(ctx context.Context, id string, code []byte) error {
	return s.one(ctx, decideSQL, id, code)
}

func (s *pgStore) Redeem(ctx context.Context, code, token []byte) error {
	return s.one(ctx, redeemSQL, code, token, appID, offlineScope)
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
