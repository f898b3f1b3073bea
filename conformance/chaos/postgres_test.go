package chaos_test

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/chaos"
	"github.com/mandate-health/mandate/internal/testpg"
)

// TestPostgreSQL breaks the database in turn under one server.
func TestPostgreSQL(t *testing.T) {
	cluster := testpg.New(t)
	proxy, err := chaos.NewProxy(cluster.Address)
	must(t, err)
	t.Cleanup(func() { must(t, proxy.Close()) })
	// A role of its own: the superuser has connections in reserve.
	sql(t, cluster, "CREATE ROLE app LOGIN PASSWORD '"+cluster.Password+"'")
	sql(t, cluster, "CREATE SCHEMA app AUTHORIZATION app")
	w := begin(t, "--database", cluster.As("app", proxy.Address), "--database-connections", "6")
	w.rest()

	for _, story := range stories(w, cluster, proxy) {
		t.Run(story.name, func(t *testing.T) { w.during(t, story.run) })
	}
	sound(t, cluster)
}

// story is one thing that happens to a database.
type story struct {
	name string
	run  func(t *testing.T)
}

func stories(w *world, cluster *testpg.Cluster, proxy *chaos.Proxy) []story {
	all := []story{
		{"killed and started again", func(t *testing.T) {
			must(t, cluster.Kill())
			w.wait(t, 0, 3)
			must(t, cluster.Launch())
		}},
		{"restarted in order", func(t *testing.T) {
			must(t, cluster.Stop())
			must(t, cluster.Launch())
		}},
		{"slow", func(t *testing.T) {
			proxy.Delay(100 * time.Millisecond)
			w.wait(t, 3, 0)
			proxy.Delay(0)
		}},
		{"its answers to commits lost", func(t *testing.T) {
			before := proxy.Lost()
			proxy.DropCommits(either(10, 100))
			w.wait(t, 1, either(8, 80))
			proxy.DropCommits(0)
			if proxy.Lost() == before {
				t.Error("no answer was dropped")
			}
		}},
		{"connections cut", func(t *testing.T) {
			for range either(5, 50) {
				proxy.Cut()
				w.wait(t, 1, 0)
			}
		}},
		{"sessions ended by the administrator", func(t *testing.T) {
			for range either(3, 30) {
				sql(t, cluster, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
				w.wait(t, 1, 0)
			}
		}},
		{"out of connections", func(t *testing.T) {
			sql(t, cluster, "ALTER ROLE app CONNECTION LIMIT 0")
			sql(t, cluster, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
			w.wait(t, 0, 3)
			sql(t, cluster, "ALTER ROLE app CONNECTION LIMIT -1")
		}},
		{"taking no writes", func(t *testing.T) {
			sql(t, cluster, "ALTER ROLE app SET default_transaction_read_only = on")
			sql(t, cluster, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
			w.wait(t, 0, 3)
			sql(t, cluster, "ALTER ROLE app RESET default_transaction_read_only")
		}},
	}
	if *long {
		all = append(all, story{"silent", func(t *testing.T) {
			// Beyond the time limit of a transaction every waiting request is told.
			proxy.Freeze()
			w.wait(t, 0, 6)
			proxy.Thaw()
			proxy.Cut()
		}})
	}
	return all
}

// sound checks every table and index of the database.
func sound(t *testing.T, c *testpg.Cluster) {
	t.Helper()
	must(t, c.Check())
}

// TestOneConnection: no request needs two connections, so a pool of one serves
// everybody, one after the other.
func TestOneConnection(t *testing.T) {
	cluster := testpg.New(t)
	w := begin(t, "--database", cluster.URL(), "--database-connections", "1")
	w.wait(t, 10, 0)
	w.verdict(t)
	if _, lost := w.Counts(); lost > 0 {
		t.Errorf("%d answers were outages", lost)
	}
}

// TestSerializable: a database that runs every transaction SERIALIZABLE ends
// many of them because of others. They are run again, and nothing is lost or
// done twice.
func TestSerializable(t *testing.T) {
	cluster := testpg.New(t)
	metrics := freeAddress(t)
	at, err := url.Parse(cluster.URL())
	must(t, err)
	q := at.Query()
	q.Set("default_transaction_isolation", "serializable")
	at.RawQuery = q.Encode()
	w := begin(t, "--database", at.String(), "--metrics-listen", metrics)
	w.wait(t, either(30, 300), 0)
	w.verdict(t)
	if _, lost := w.Counts(); lost > 0 {
		t.Errorf("%d answers were outages\n%s", lost, w.node.Tail())
	}
	res, err := http.Get("http://" + metrics + "/metrics")
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	_, rest, _ := strings.Cut(string(text), "\nmandate_store_retries_total ")
	retries, _, _ := strings.Cut(rest, "\n")
	if n, err := strconv.ParseFloat(retries, 64); err != nil || n < 1 {
		t.Errorf("no transaction was run again: %q", retries)
	}
	t.Logf("%s transactions were run again", retries)
	sound(t, cluster)
}
