package proxy_test

import (
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// ticks are the required items of the instrument of a case.
func ticks(c proxy.Case) (out []string) {
	for _, i := range proxy.ChecklistOf(c.Authority.Kind).Items {
		if i.Required {
			out = append(out, i.ID)
		}
	}
	return out
}

// SP-04, RS-08: each kind of instrument has a list; without a required item, or with
// one of another kind, nobody verifies; what was seen is kept, and the next look is
// that of the kind, or of the paper when that ends before.
func TestChecklists(t *testing.T) {
	all, err := proxy.Checklists()
	if err != nil || len(all) != len(proxy.AuthorityKinds()) {
		t.Fatal(all, err)
	}
	ends := now.AddDate(0, 2, 0)
	for _, kind := range proxy.AuthorityKinds() {
		l := proxy.ChecklistOf(kind)
		if len(l.Items) < 3 || l.Months < 1 || l.Months > proxy.LongestMonths {
			t.Errorf("%s: %+v", kind, l)
		}
		c := walk(t, invited(t), [2]string{"accept", "p-marcus"}, [2]string{"proof", "p-hale"})
		c, err := c.Attest(proxy.Authority{Kind: kind, Trigger: proxy.TriggerImmediate}, by("p-hale", now.Add(time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		full, second := ticks(c), by("p-osei", now.Add(2*time.Hour))
		for name, seen := range map[string][]string{"none": nil, "one less": full[1:], "of another kind": append([]string{"else"}, full...)} {
			if out, err := c.Verify(seen, time.Time{}, second); errs.As(err).Code != "proxy-checklist" || out.Authority.Verified() {
				t.Errorf("%s %s: %v", kind, name, err)
			}
		}
		for _, day := range []time.Time{now, now.AddDate(2, 0, 0)} {
			if _, err := c.Verify(full, day, second); errs.As(err).Code != "proxy-review" {
				t.Errorf("%s looked at again on %s: %v", kind, day, err)
			}
		}
		out, err := c.Verify(full, time.Time{}, second)
		if err != nil || !slices.Equal(out.Authority.Seen, full) || !out.Authority.Reviews.Equal(second.At.AddDate(0, l.Months, 0)) {
			t.Errorf("%s: %+v %v", kind, out.Authority, err)
		}
		c.Authority.Ends = ends
		if out, err = c.Verify(full, now.AddDate(0, 5, 0), second); err != nil || !out.Authority.Reviews.Equal(ends) {
			t.Errorf("%s is looked at after it ended: %+v %v", kind, out.Authority, err)
		}
	}
}
