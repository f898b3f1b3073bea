package embedded

import (
	"context"
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/store"
)

// Checks ask the embedded engine.
func (e *Engine) Checks(clock.Clock) []health.Check { return checks(e.Read()) }

// Catalogue lists the checks, for documentation: they cannot be asked.
func Catalogue() []health.Check { return checks(nil) }

func checks(conn store.Conn) []health.Check {
	pragma := func(id, name, looks string, good ...string) health.Check {
		return health.Check{ID: id, Looks: looks, Remedy: "this is a fault of Mandate; report it", Look: func(ctx context.Context) health.Finding {
			var is any
			if err := conn.QueryRow(ctx, "PRAGMA "+name).Scan(&is); err != nil {
				return store.Unread(err)
			}
			text := strings.ToLower(toText(is))
			ok := false
			for _, g := range good {
				ok = ok || text == g
			}
			return health.Want(ok, "%s is %s", name, text)
		}}
	}
	return []health.Check{
		pragma("embedded-journal", "journal_mode", "whether the embedded store writes ahead", "wal"),
		pragma("embedded-synchronous", "synchronous", "whether a commit of the embedded store is on the disk", "2", "3"),
		{ID: "embedded-intact", Looks: "whether the embedded store's file is intact", Remedy: "restore the newest backup", Look: func(ctx context.Context) health.Finding {
			var text string
			if err := conn.QueryRow(ctx, "PRAGMA quick_check(1)").Scan(&text); err != nil {
				return store.Unread(err)
			}
			return health.Want(text == "ok", "the check of the file says %q", text)
		}},
	}
}

func toText(v any) string {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	default:
		return "unknown"
	}
}
