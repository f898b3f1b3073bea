package app

import (
	"slices"
	"strings"

	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/oauth/grant"
	"github.com/mandate-health/mandate/web/pages/consent"
	"github.com/mandate-health/mandate/web/route"
)

// OffConfig says which features are not offered at all, whatever clients are
// registered for. Discovery then does not name them either (SMART DISC-20).
type OffConfig struct {
	Off []string `name:"off" key:"off" help:"Feature that is not offered, to any client: device-authorization, token-exchange or udap; or email-codes or sms-codes, so that no codes to sign in are sent in that way. May be repeated." placeholder:"FEATURE"`
}

// The features that can be switched off, with the grant types that go with them.
var switches = map[string][]string{
	"device-authorization": {grant.Device},
	"token-exchange":       {grant.Exchange},
	"udap":                 {},
	offEmailCodes:          {},
	offSMSCodes:            {},
}

func (c *OffConfig) validate(f *config.Faults) {
	for _, name := range c.Off {
		if switches[name] == nil {
			f.Add("off", "%q is not device-authorization, token-exchange, udap, email-codes or sms-codes", name)
		}
	}
}

// grants gives the grant types that are not offered.
func (c *OffConfig) grants() []string {
	var out []string
	for _, name := range c.Off {
		out = append(out, switches[name]...)
	}
	return out
}

// has reports whether a feature is switched off.
func (c *OffConfig) has(name string) bool { return slices.Contains(c.Off, name) }

// served leaves out the routes of what is not offered.
func (c *OffConfig) served(all []route.Route) []route.Route {
	if !c.has("device-authorization") {
		return all
	}
	return slices.DeleteFunc(all, func(r route.Route) bool {
		return r.Path == devicePath || r.Path == consent.DevicePath || strings.HasPrefix(r.Path, consent.DevicePath+"/")
	})
}
