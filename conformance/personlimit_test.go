package conformance_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/testpg"
)

// SE-15: what is asked about one person has one measure over all nodes. Who used
// it up at one node has at another only that node's own tenth and what came back
// meanwhile, not a full measure again; somebody else has theirs.
func TestLimitOfOnePersonOverTwoNodes(t *testing.T) {
	const perSecond, burst, tenth, lease = 20, 40, 4, 5
	dsn := testpg.Start(t)
	p := nodes(t, "person", dsn, dsn, "--limit-person", "20")
	asks := p.a.Client("symmetric")
	grant := func(person string) *kit.Grant {
		t.Helper()
		g, err := p.a.Launch(t.Context(), kit.Launch{Client: asks, Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Person: person}})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	rosa, elena := grant("rosa"), grant("elena")
	ask := func(node string, g *kit.Grant) int {
		t.Helper()
		res, err := p.a.Call(t.Context(), node+"/introspect", asks, url.Values{"token": {g.Access()}})
		if err != nil {
			t.Fatal(err)
		}
		return res.Status
	}
	// pass counts what a node lets through until it refuses.
	pass := func(node string) int {
		t.Helper()
		for n := range 5000 {
			switch status := ask(node, rosa); status {
			case http.StatusOK:
			case http.StatusTooManyRequests:
				return n
			default:
				t.Fatalf("%s answers %d", node, status)
			}
		}
		t.Fatalf("%s never refuses", node)
		return 0
	}
	watch := clock.System{}
	begun := watch.Now()
	first := pass(p.a.Issuer)
	second := pass(p.b)
	// Whatever time the two took, the nodes together let through no more than one
	// measure with what came back in that time, and each its tenth and a share.
	back := float64(watch.Now().Sub(begun)) / float64(time.Second) * perSecond
	if most := burst + 2*(tenth+lease) + int(1.2*back) + 1; first+second > most {
		t.Errorf("%d and %d requests passed, and one measure is %d", first, second, most)
	}
	if second >= burst && back < burst/2 {
		t.Errorf("the second node had a full measure: %d", second)
	}
	if status := ask(p.b, elena); status != http.StatusOK {
		t.Errorf("another person: %d", status)
	}
}
