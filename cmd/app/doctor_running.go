package app

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
)

// limitChecks judge the ceilings of requests.
func (d *doctor) limitChecks() []health.Check {
	check := func(id, looks, key string, is, wise int) health.Check {
		return ask(id, looks, "set "+key, func() health.Finding {
			if is <= 0 {
				return health.Fail("no limit: one caller can use up the server")
			}
			return health.Wish(is <= wise, "%d a second; at most %d is wise", is, wise)
		})
	}
	l := d.cfg.Limits
	return []health.Check{
		check("limits-client", "how many requests one app may send", "limits.client", l.Client, 100000),
		check("limits-person", "how many requests may be about one person", "limits.person", l.Person, 100000),
		check("limits-patient", "how many FHIR requests may be about one patient", "limits.patient", l.Patient, 100000),
		check("limits-network", "how many requests one address may send", "limits.network", l.Network, 100000),
		check("limits-sign-in", "how many log-ins one address may try", "limits.sign_in", l.SignIn, 1000),
	}
}

// jwksCheck fetches the key sets of clients as the server does.
func (d *doctor) jwksCheck() []health.Check {
	return []health.Check{{
		ID: "client-jwks-reachable", Looks: "whether key sets that clients registered by address can be fetched from here",
		Remedy: "open the way out for this server, or ask the app's maker", Look: func(ctx context.Context) health.Finding {
			all, err := d.clients(ctx)
			if err != nil {
				return health.Unseen("the clients cannot be read")
			}
			all = slices.DeleteFunc(all, func(c oauth.Client) bool { return c.Disabled || c.JWKSURI == "" })
			if len(all) == 0 {
				return health.Good("no client has one")
			}
			if d.offline {
				return health.Unseen("not asked")
			}
			fetcher := clientauth.NewFetcher(clientauth.FetcherConfig{Clock: d.clock, Dev: d.cfg.Dev})
			var away []string
			for _, c := range all {
				if _, err := fetcher.Set(ctx, c.JWKSURI, ""); err != nil {
					away = append(away, c.ID)
				}
			}
			return health.Wish(len(away) == 0, "%d of %d cannot be fetched: %s", len(away), len(all), strings.Join(away, ", "))
		},
	}}
}

// runningChecks ask the running server for its own figures, where it has a
// listener for metrics.
func (d *doctor) runningChecks() []health.Check {
	check := func(id, looks, remedy string, judge func(map[string]float64) health.Finding) health.Check {
		return health.Check{ID: id, Looks: looks, Remedy: remedy, Look: func(ctx context.Context) health.Finding {
			if d.offline || d.cfg.Metrics.Listen == "" {
				return health.Unseen("not asked: it needs metrics.listen and a running server")
			}
			all, err := figures(ctx, d.cfg.Metrics.Listen)
			if err != nil {
				return health.Unseen("the metrics of a running server cannot be read: %s", why(err))
			}
			return judge(all)
		}}
	}
	return []health.Check{
		check("server-feed-age", "how old what the server keeps in memory may be", "look into the log for \"changes of other nodes not read\"; check the database", func(m map[string]float64) health.Finding {
			age, ok := m["mandate_change_feed_age_seconds"]
			if !ok {
				return health.Note("nothing is kept in memory")
			}
			return health.Want(age <= d.cfg.Staleness.Seconds(), "%.1f s; at most %s is served", age, d.cfg.Staleness)
		}),
		check("server-store-waiting", "whether requests wait for a connection to the store", "raise database_connections, or find out why the database is slow", func(m map[string]float64) health.Finding {
			waiting, size := m["mandate_store_waiting"], m["mandate_store_connections"]
			return health.Wish(waiting <= size, "%.0f wait, %.0f of %.0f connections are in use", waiting, m["mandate_store_connections_busy"], size)
		}),
		check("server-password-queue", "whether log-ins wait for others to be checked", "find out who tries so many; raise passwords.at_once where there are processors and memory for it", func(m map[string]float64) health.Finding {
			waiting, slots := m["mandate_password_hashes_waiting"], m["mandate_password_hashes_at_once"]
			return health.Wish(waiting <= 10*slots, "%.0f wait, %.0f at once", waiting, slots)
		}),
		check("server-audit-queue", "whether audit events pile up in memory", "look into the log; check the database", func(m map[string]float64) health.Finding {
			waiting, room := m["mandate_audit_queue_events"], m["mandate_audit_queue_room"]
			return health.Wish(waiting <= room/2, "%.0f of %.0f", waiting, room)
		}),
	}
}

// figures reads the metrics without labels from a listener.
func figures(ctx context.Context, listen string) (map[string]float64, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	res, body, err := newVisitor("http://"+net.JoinHostPort(host, port)).get(ctx, "/metrics") //nolint:bodyclose // get has read and closed it
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %d", res.StatusCode)
	}
	out := map[string]float64{}
	lines := bufio.NewScanner(strings.NewReader(string(body)))
	for lines.Scan() {
		name, value, found := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); found && err == nil {
			out[name] = v
		}
	}
	return out, lines.Err()
}
