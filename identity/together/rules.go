package together

import (
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/identity"
)

// Signals is what is recorded about one account.
type Signals struct {
	// Sessions live now, Devices are those on which a log-in was finished.
	Sessions []identity.Session
	Devices  []identity.Device
	Now      time.Time
}

// Finding is one rule that applies, with the kinds of device it speaks of, as
// identity.AgentOf calls them.
type Finding struct {
	Rule   string
	Agents []string
}

// The rules.
const (
	// AtOnce: two devices of different kinds, in different networks, were used
	// within the same minutes.
	AtOnce = "two-at-once"
	// Apart: two devices of different kinds come back for weeks, each in networks
	// where the other was never seen.
	Apart = "far-apart"
	// Many: more devices than one person has.
	Many = "many-devices"
)

const (
	// near is how close two uses are to be one and the same time.
	near = 10 * time.Minute
	// habit is for how long a device has come back to be a habit.
	habit = 14 * 24 * time.Hour
	// recent is how long ago a device may have been used to count.
	recent = 30 * 24 * time.Hour
	// manyDevices is from when on there are many.
	manyDevices = 6
)

// rule gives the kinds of device for which it applies, nil when it does not.
type rule struct {
	name  string
	finds func(Signals) []string
	// alone says that the rule is enough without another one.
	alone bool
}

func rules() []rule {
	return []rule{{AtOnce, atOnce, true}, {Apart, apart, true}, {Many, many, false}}
}

// Judge gives the findings that make two people likely, nil when there are none.
func Judge(s Signals) []Finding {
	var out []Finding
	enough := false
	for _, r := range rules() {
		if agents := r.finds(s); agents != nil {
			out, enough = append(out, Finding{r.name, agents}), enough || r.alone
		}
	}
	if !enough {
		return nil
	}
	return out
}

// family is the system that a device runs: two browsers on one computer are one
// device family.
func family(agent string) string {
	_, system, _ := strings.Cut(agent, "/")
	return system
}

// differ reports whether two devices are surely not one: of different kinds, in
// different networks. What is not known tells nothing.
func differ(a, b, networkA, networkB string) bool {
	return family(a) != "" && family(b) != "" && family(a) != family(b) && networkA != "" && networkB != "" && networkA != networkB
}

func atOnce(s Signals) []string {
	for i, a := range s.Sessions {
		for _, b := range s.Sessions[i+1:] {
			if differ(a.Agent, b.Agent, a.Network, b.Network) && a.LastSeen.Sub(b.LastSeen).Abs() <= near &&
				s.Now.Sub(later(a.LastSeen, b.LastSeen)) <= recent {
				return []string{a.Agent, b.Agent}
			}
		}
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// apart looks at families: a person's own telephone and tablet meet in the network at
// home, those of two people in two homes do not.
func apart(s Signals) []string {
	type kept struct {
		agent    string
		networks []string
	}
	byFamily := map[string]*kept{}
	var order []string
	for _, d := range s.Devices {
		f := family(d.Agent)
		if f == "" || d.Network == "" || s.Now.Sub(d.LastSeen) > recent {
			continue
		}
		if byFamily[f] == nil {
			byFamily[f] = &kept{agent: d.Agent}
			order = append(order, f)
		}
		k := byFamily[f]
		k.networks = append(k.networks, d.Network)
		if d.LastSeen.Sub(d.Created) < habit {
			k.agent = ""
		}
	}
	slices.Sort(order)
	for i, f := range order {
		for _, g := range order[i+1:] {
			a, b := byFamily[f], byFamily[g]
			met := slices.ContainsFunc(a.networks, func(n string) bool { return slices.Contains(b.networks, n) })
			if a.agent != "" && b.agent != "" && !met {
				return []string{a.agent, b.agent}
			}
		}
	}
	return nil
}

func many(s Signals) []string {
	var agents []string
	for _, d := range s.Devices {
		if s.Now.Sub(d.LastSeen) <= recent && d.Agent != "" {
			agents = append(agents, d.Agent)
		}
	}
	if len(agents) < manyDevices {
		return nil
	}
	return agents
}
