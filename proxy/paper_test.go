package proxy_test

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// LC-04, LC-05, SP-04: papers come to a case that has an account and neither rests nor
// is over; they move nothing, and who put one in does not verify.
func TestPapersMoveNothing(t *testing.T) {
	sheet := []proxy.Paper{{ID: "d1", Kind: "HPOWATT", Media: "image/png", Size: 9}}
	c := invited(t)
	if _, err := c.Filed(sheet, by("p-rosa", now)); !errs.Is(err, errs.Conflict) {
		t.Errorf("without an account: %v", err)
	}
	c = good(c.Accept("p-bea", by("p-bea", now)))(t)
	for name, bad := range map[string][]proxy.Paper{
		"none": nil, "an unknown kind": {{ID: "d1", Kind: "FRND"}}, "too many": make([]proxy.Paper, proxy.MaxPapers+1),
	} {
		if _, err := c.Filed(bad, by("p-bea", now)); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c = good(c.Filed(sheet, by("p-osei", now)))(t)
	if p, ok := c.Paper("d1"); !ok || p.By != "p-osei" || c.State != proxy.StateAccount || c.Proofed() || c.Agreed() {
		t.Errorf("papers moved the case: %+v", c)
	}
	c = good(c.Proof(proxy.Proofing{Signed: by("p-hale", now), Documents: proxy.Documents()[:2]}))(t)
	c = good(c.Attest(proxy.Authority{Kind: "HPOWATT", Trigger: proxy.TriggerImmediate}, by("p-hale", now)))(t)
	for _, who := range []string{"p-hale", "p-osei"} {
		if _, err := c.Verify(ticks(c), time.Time{}, by(who, now)); errs.As(err).Code != "proxy-same-reviewer" {
			t.Errorf("%s put in and verified: %v", who, err)
		}
	}
	c = good(c.Verify(ticks(c), time.Time{}, by("p-ito", now)))(t)
	if c.State != proxy.StateVerified {
		t.Error(c.State)
	}
}

// good wants a step that succeeds.
func good(c proxy.Case, err error) func(*testing.T) proxy.Case {
	return func(t *testing.T) proxy.Case {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}
