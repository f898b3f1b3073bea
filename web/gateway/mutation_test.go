//go:build mutation

package gateway_test

import (
	"testing"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/conformance/proof"
	"github.com/mandate-health/mandate/web/gateway"
)

// unproven are the rules that the oracle's cases cannot miss, with what proves
// them instead.
var unproven = map[string]string{
	"log":     "the audit log is Mandate's own and never asked of the upstream: owned_test.go",
	"rewrite": "it narrows what is asked of the upstream and keeps nothing back: search_test.go",
	"input":   "it is no rule of the lists",
}

// mutantCases bounds how long a mutant may live; most die in the first hundred.
const mutantCases = 40000

// A proof that cannot fail proves nothing: without any one of its rules the
// decision point is caught.
func TestEveryRuleIsProven(t *testing.T) {
	for _, name := range access.RuleNames() {
		if unproven[name] != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			defer access.Without(name)()
			if n := firstFault(t, 1); n == 0 {
				t.Errorf("nobody noticed in %d cases that the rule %q is missing", mutantCases, name)
			} else {
				t.Logf("noticed at case %d", n)
			}
		})
	}
}

// What is no rule of the lists is proven alike: the value sets, the modes, the
// question whether the token is still good, and that before each batch of entries.
func TestEverySafeguardIsProven(t *testing.T) {
	for _, name := range []string{"value sets", "modes", "token asked again", "batches"} {
		t.Run(name, func(t *testing.T) {
			mutant = name
			defer func() { mutant = "" }()
			if name == "batches" {
				defer gateway.WithoutBatchCheck()()
			}
			if n := firstFault(t, 1); n == 0 {
				t.Errorf("nobody noticed in %d cases that there are no %s", mutantCases, name)
			} else {
				t.Logf("noticed at case %d", n)
			}
		})
	}
}

// firstFault gives the number of the first case that is answered wrongly; 0
// when none is.
func firstFault(t *testing.T, seed uint64) int {
	t.Helper()
	g := proof.NewGenerator(seed)
	for cases := 0; cases < mutantCases; {
		records := g.World()
		w := proofWorld(t, records)
		for range grantsPerWorld {
			grant := g.Grant()
			w.grants(grant)
			for range requestsPerGrant {
				q := g.Request(records)
				if cases++; len(w.judge(records, grant, q)) > 0 {
					return cases
				}
			}
		}
		w.up.Close()
	}
	return 0
}
