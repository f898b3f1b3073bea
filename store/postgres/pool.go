package postgres

import (
	"context"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mandate-health/mandate/store"
)

// waiters counts who waits for a connection, which the pool does not tell. It
// is a tracer of the pool only: statements are not traced.
type waiters struct{ now atomic.Int64 }

// watch makes a configuration count.
func (w *waiters) watch(config *pgxpool.Config) {
	config.ConnConfig.Tracer = w
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		c.Tracer = nil
		return nil
	}
}

// TraceAcquireStart implements pgxpool.AcquireTracer.
func (w *waiters) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	w.now.Add(1)
	return ctx
}

// TraceAcquireEnd implements pgxpool.AcquireTracer.
func (w *waiters) TraceAcquireEnd(context.Context, *pgxpool.Pool, pgxpool.TraceAcquireEndData) {
	w.now.Add(-1)
}

// TraceQueryStart implements pgx.QueryTracer, which a tracer must.
func (*waiters) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (*waiters) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Pool implements store.Pooled.
func (e *Engine) Pool() store.Pool {
	s := e.pool.Stat()
	return store.Pool{
		Size: int64(s.MaxConns()), Busy: int64(s.AcquiredConns()),
		Waiting: e.waiters.now.Load(), Waits: s.EmptyAcquireCount(), Waited: s.EmptyAcquireWaitTime(),
	}
}
