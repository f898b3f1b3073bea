package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// channel is where a node that stored a change notifies the others. Nodes of
// other schemas in the same database hear it too, which is harmless.
const channel = "mandate_change"

// Listen calls heard for each notification, and once at its beginning, until
// ctx ends or the connection is lost. The connection is its own, apart from
// the pool. Errors: errs.Unavailable.
func (e *Engine) Listen(ctx context.Context, heard func()) error {
	conn, err := pgx.ConnectConfig(ctx, e.pool.Config().ConnConfig.Copy())
	if err != nil {
		return translate(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return translate(err)
	}
	for {
		heard()
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return translate(err)
		}
	}
}
