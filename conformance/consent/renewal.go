package consent

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

// renewal holds rows about how long access lasts that an app uses regularly,
// and about choices that outlive the words of the request.
func renewal() []kit.Row {
	return []kit.Row{
		{ID: "SMART US-10b", Title: "categories chosen under a v1 request are answered in v2 and leave no whole type",
			Also: []string{"US-16", "SCP-11"}, Needs: kit.Login | kit.Symmetric, Run: narrowV1},
		{ID: "SMART US-02b", Title: "each refresh renews three months, again and again; a week or a year that was chosen ends all the same",
			Also: []string{"US-01"}, Needs: kit.Login | kit.Symmetric | kit.Clock, Run: renews},
		{ID: "SMART BP-01", Title: "people are told from time to time of apps that keep access", Needs: kit.Login | kit.Clock | kit.Outbox, Run: reminded},
	}
}

// narrowV1 asks for whole types in the words of SMART 1, one by name and one by
// a wildcard, and narrows Observation.
func narrowV1(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client := t.Client("symmetric")
	for _, asked := range []string{"patient/Patient.read patient/Observation.read patient/Condition.read", "patient/*.read", "patient/*.*"} {
		g, err := t.Launch(ctx, kit.Launch{Client: client, Scope: "launch/patient offline_access " + asked, Visit: kit.Visit{Person: t.Patient(), Consent: func(f *kit.Form) {
			f.Tick("keep", true)
			f.Tick("kind.Patient", true)
			c.That(only(f, "Observation", "laboratory"), "%s: Observation cannot be narrowed", asked)
		}}})
		if !c.Note(err) {
			continue
		}
		granularOnly(&c, asked, g.Text("scope"))
		res, err := t.Introspect(ctx, client, g.Access())
		if c.Note(err) {
			granularOnly(&c, asked+", introspected", res.Text("scope"))
		}
		res, err = t.FHIR(ctx, g.Access(), "Observation?_count=100&patient="+g.Patient())
		if c.Note(err) && c.That(res.Status == http.StatusOK && len(res.Entries()) > 0, "%s: %s", asked, res) {
			for _, e := range res.Entries() {
				c.That(e.Type != "Observation" || inCategory(e, "laboratory"), "%s: Observation/%s of %v is told", asked, e.ID, e.Codes("category"))
			}
		}
		res, err = t.Refresh(ctx, client, g.RefreshToken(), "")
		if c.Note(err) && c.That(res.Status == http.StatusOK, "%s, refreshed: %s", asked, res) {
			granularOnly(&c, asked+", refreshed", res.Text("scope"))
		}
		// The app sends its first words again, which are wider than what it has.
		res, err = t.Refresh(ctx, client, res.Text("refresh_token"), "launch/patient offline_access "+asked)
		if c.Note(err) && res.Status == http.StatusOK {
			granularOnly(&c, asked+", asked again", res.Text("scope"))
		}
	}
	return c.Err()
}

// renews lets three connections be used every 89 days: one for three months
// that are renewed, one for a year, one for a week.
func renews(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	type connection struct {
		keep  string
		token string
		// until is the number of steps after which it must have ended; 0 for never.
		until int
	}
	client := t.Client("symmetric")
	all := []*connection{{keep: "3m"}, {keep: "1y", until: 5}, {keep: "1w", until: 1}}
	for _, x := range all {
		g, err := t.Launch(ctx, kit.Launch{Client: client, Scope: chartScope, Visit: kit.Visit{Person: t.Patient(), Consent: func(f *kit.Form) {
			c.That(f.Tick("keep", true) && f.Choose("keep_for", x.keep), "%s cannot be chosen", x.keep)
		}}})
		if err != nil {
			return err
		}
		x.token = g.RefreshToken()
	}
	for step := 1; step <= 5; step++ {
		if err := t.Advance(ctx, 89*24*time.Hour); err != nil {
			return err
		}
		for _, x := range all {
			res, err := t.Refresh(ctx, client, x.token, "")
			if !c.Note(err) {
				continue
			}
			if x.until > 0 && step >= x.until {
				c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_grant", "%s, after %d × 89 days: %s", x.keep, step, res)
				continue
			}
			if c.That(res.Status == http.StatusOK, "%s, after %d × 89 days: %s", x.keep, step, res) && res.Text("refresh_token") != "" {
				x.token = res.Text("refresh_token")
			}
		}
	}
	return c.Err()
}

// granularOnly checks that a scope string has laboratory Observations and no
// whole type of them.
func granularOnly(c *kit.Check, what, scope string) {
	all := strings.Fields(scope)
	c.That(slices.ContainsFunc(all, func(s string) bool {
		return strings.HasPrefix(s, "patient/Observation.") && strings.Contains(s, "?category=") && strings.HasSuffix(s, "|laboratory") && !strings.Contains(s, ".read")
	}), "%s: no laboratory scope in v2 among %v", what, all)
	for _, s := range all {
		c.That(!strings.HasPrefix(s, "patient/*.") && (!strings.HasPrefix(s, "patient/Observation.") || strings.Contains(s, "?")), "%s: %q is a whole type", what, s)
	}
}

// tellPatience bounds how long a server may take to see that a reminder is due.
const tellPatience = 30 * time.Second

// reminded keeps a connection for half a year and looks for a new message to its
// person that comes without any act.
func reminded(ctx context.Context, t *kit.Target) error {
	_, err := t.Launch(ctx, kit.Launch{Client: t.Client("public"), Scope: chartScope, Visit: kit.Visit{Person: t.Patient(), Consent: func(f *kit.Form) {
		f.Tick("keep", true)
		f.Choose("keep_for", "1y")
	}}})
	if err != nil {
		return err
	}
	before, err := t.Notices(ctx)
	if err != nil {
		return err
	}
	if err := t.Advance(ctx, 185*24*time.Hour); err != nil {
		return err
	}
	late := time.NewTimer(tellPatience)
	defer late.Stop()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := t.Notices(ctx)
		if err != nil {
			return err
		}
		for id, n := range now {
			if _, known := before[id]; !known && strings.HasSuffix(n.PersonID, t.Patient()) {
				return nil
			}
		}
		select {
		case <-late.C:
			return fmt.Errorf("nobody was told within half a year; %d notices", len(now))
		case <-tick.C:
		}
	}
}
