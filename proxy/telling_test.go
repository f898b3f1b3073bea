package proxy_test

import (
	"slices"
	"testing"

	"github.com/mandate-health/mandate/proxy"
)

// SP-15, TR-37, CO-11: what is told, and where, with the reason when it is not.
func TestNewsGoesOnlyWhereItIsSafeAndWanted(t *testing.T) {
	const safe = "rosa@example.org"
	others := []string{"elena@example.org", ""}
	for _, w := range []struct {
		name         string
		h            proxy.Hearing
		portal, mail bool
		why          []proxy.Why
	}{
		{"a new access", proxy.Hearing{News: proxy.NewsAccess, Choice: proxy.ToldNever, Address: safe, Others: others}, true, true, nil},
		{"a new device", proxy.Hearing{News: proxy.NewsAccount, Address: safe}, true, true, nil},
		{"the first look", proxy.Hearing{News: proxy.NewsFirst, Choice: proxy.ToldFirst, Address: safe}, true, true, nil},
		{"the first look, never wanted", proxy.Hearing{News: proxy.NewsFirst, Choice: proxy.ToldNever, Address: safe}, false, false, []proxy.Why{proxy.WhyNotWanted}},
		{"a day, not wanted", proxy.Hearing{News: proxy.NewsDay, Choice: proxy.ToldFirst, Address: safe}, false, false, []proxy.Why{proxy.WhyNotWanted}},
		{"a day", proxy.Hearing{News: proxy.NewsDay, Choice: proxy.ToldDaily, Address: safe}, true, true, nil},
		{"a download, only days wanted", proxy.Hearing{News: proxy.NewsDownload, Choice: proxy.ToldDaily, Address: safe}, false, false, []proxy.Why{proxy.WhyNotWanted}},
		{"a download", proxy.Hearing{News: proxy.NewsDownload, Choice: proxy.ToldDownloads, Address: safe}, true, true, nil},
		{"a hold", proxy.Hearing{News: proxy.NewsAccess, Held: true, Address: safe}, false, false, []proxy.Why{proxy.WhyHold}},
		{"no address", proxy.Hearing{News: proxy.NewsAccess}, true, false, []proxy.Why{proxy.WhyNoAddress}},
		{"the mailbox of the other", proxy.Hearing{News: proxy.NewsAccess, Address: " Elena+rosa@EXAMPLE.org", Others: others}, true, false, []proxy.Why{proxy.WhyShared}},
		{"the account's own news there", proxy.Hearing{News: proxy.NewsAccount, Address: "elena@example.org", Others: others}, true, false, []proxy.Why{proxy.WhyShared}},
	} {
		if m := proxy.Tell(w.h); m.Portal != w.portal || m.Mail != w.mail || !slices.Equal(m.Reasons, w.why) {
			t.Errorf("%s: %+v", w.name, m)
		}
	}
	if c := (proxy.Case{Tell: "loudly"}); c.Telling() != proxy.ToldFirst {
		t.Error(c.Telling())
	}
}

// Nobody is told more because something was withheld: a hold, an unsafe address or
// a smaller wish never adds a way.
func TestCautionNeverAddsAWay(t *testing.T) {
	for _, n := range []proxy.News{proxy.NewsAccess, proxy.NewsAccount, proxy.NewsFirst, proxy.NewsDay, proxy.NewsDownload} {
		for _, choice := range proxy.Tellings() {
			h := proxy.Hearing{News: n, Choice: choice, Address: "rosa@example.org"}
			free := proxy.Tell(h)
			h.Others = []string{h.Address}
			shared := proxy.Tell(h)
			h.Held = true
			held := proxy.Tell(h)
			if shared.Mail || shared.Portal != free.Portal || held.Portal || held.Mail {
				t.Errorf("%s %s: %+v %+v %+v", n, choice, free, shared, held)
			}
		}
	}
}
