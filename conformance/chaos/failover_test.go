package chaos_test

import (
	"testing"

	"github.com/mandate-health/mandate/internal/testpg"
)

// TestFailover: the primary dies and its replica is promoted. The server finds
// the new primary by itself, and what was confirmed is there.
func TestFailover(t *testing.T) {
	primary := testpg.New(t)
	replica, err := primary.Replica()
	must(t, err)
	t.Cleanup(func() { must(t, replica.Close()) })
	must(t, primary.WaitFor())
	// The replica is named first: what takes writes is found, not what is first.
	w := begin(t, "--database", primary.URL(replica.Address, primary.Address), "--database-connections", "6")
	w.wait(t, 3, 0)
	must(t, primary.Kill())
	w.wait(t, 0, 3)
	must(t, replica.Promote())
	w.verdict(t)
	must(t, replica.Check())
}

// TestPooler: the same through PgBouncer in transaction mode, which cuts and
// answers in its own way when the database behind it goes.
func TestPooler(t *testing.T) {
	cluster := testpg.New(t)
	w := begin(t, "--database", cluster.URL(cluster.Pooler(t)), "--database-pooler", "--database-connections", "6")
	for range either(1, 5) {
		w.wait(t, 3, 0)
		must(t, cluster.Kill())
		w.wait(t, 0, 3)
		must(t, cluster.Launch())
	}
	w.verdict(t)
	sound(t, cluster)
}
