package together_test

import (
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/together"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func used(agent, network string, ago time.Duration) identity.Session {
	return identity.Session{Agent: agent, Network: network, LastSeen: now.Add(-ago)}
}

func known(agent, network string, days int) identity.Device {
	return identity.Device{Agent: agent, Network: network, Created: now.AddDate(0, 0, -days), LastSeen: now.Add(-time.Hour)}
}

// SP-21, TF-24: the rules name what they found; one person's own devices, and what
// nobody knows, are no finding.
func TestTwoPeopleAtOneAccount(t *testing.T) {
	const phone, desk = "Safari/iOS", "Firefox/Windows"
	for name, c := range map[string]struct {
		in   together.Signals
		want []string
	}{
		"nothing":                        {together.Signals{}, nil},
		"one device":                     {together.Signals{Sessions: []identity.Session{used(phone, "a", 0)}}, nil},
		"two at once, far apart":         {together.Signals{Sessions: []identity.Session{used(phone, "a", 0), used(desk, "b", 5*time.Minute)}}, []string{together.AtOnce}},
		"two at once at home":            {together.Signals{Sessions: []identity.Session{used(phone, "a", 0), used(desk, "a", 0)}}, nil},
		"one after the other":            {together.Signals{Sessions: []identity.Session{used(phone, "a", 0), used(desk, "b", time.Hour)}}, nil},
		"two browsers on one computer":   {together.Signals{Sessions: []identity.Session{used("Chrome/Windows", "a", 0), used(desk, "b", 0)}}, nil},
		"a browser that nobody knows":    {together.Signals{Sessions: []identity.Session{used("", "a", 0), used(desk, "b", 0)}}, nil},
		"weeks in two homes":             {together.Signals{Devices: []identity.Device{known(phone, "a", 40), known(desk, "b", 20)}}, []string{together.Apart}},
		"weeks, and they met":            {together.Signals{Devices: []identity.Device{known(phone, "a", 40), known(desk, "b", 20), known(phone, "b", 20)}}, nil},
		"a new telephone":                {together.Signals{Devices: []identity.Device{known(phone, "a", 2), known(desk, "b", 20)}}, nil},
		"a device nobody used for long":  {together.Signals{Devices: []identity.Device{{Agent: phone, Network: "a", LastSeen: now.AddDate(0, -3, 0)}, known(desk, "b", 20)}}, nil},
		"many devices alone are nothing": {together.Signals{Devices: slices.Repeat([]identity.Device{known(phone, "a", 1)}, 7)}, nil},
		"many devices beside another": {together.Signals{
			Devices: slices.Repeat([]identity.Device{known(phone, "a", 1)}, 7), Sessions: []identity.Session{used(phone, "a", 0), used(desk, "b", 0)},
		}, []string{together.AtOnce, together.Many}},
	} {
		c.in.Now = now
		var got []string
		for _, f := range together.Judge(c.in) {
			got = append(got, f.Rule)
			if len(f.Agents) < 2 {
				t.Errorf("%s: %s does not say which devices: %v", name, f.Rule, f.Agents)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: found %v, want %v", name, got, c.want)
		}
	}
}
