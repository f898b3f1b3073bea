package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/factor/passkey"
	"github.com/mandate-health/mandate/identity/risk"
	"github.com/mandate-health/mandate/internal/health"
)

// placesOld is the age at which a file of places should be replaced.
const placesOld = 90 * 24 * time.Hour

// signInChecks say of each signal about log-ins whether anything looks at it, so that
// none passes in silence (SM-07), and how old the file of places is.
func (d *doctor) signInChecks() []health.Check {
	return []health.Check{
		{
			ID: "sign-in-signals", Looks: "which unusual log-ins are noticed",
			Remedy: "name a file of places (signin.places_file) and a list of breached passwords (passwords.breached_file)",
			Look: func(context.Context) health.Finding {
				places, err := d.cfg.SignIn.places()
				if err != nil {
					return health.Fail("%v", err)
				}
				var active, inactive []string
				for _, s := range risk.Signals(places, d.cfg.Passwords.Breached != "") {
					if s.Inactive == "" {
						active = append(active, s.Name)
						continue
					}
					inactive = append(inactive, s.Name+" (inactive: "+lacking[s.Inactive]+")")
				}
				if len(inactive) == 0 {
					return health.Good("all: %s", strings.Join(active, ", "))
				}
				return health.Note("not looked at: %s; looked at: %s", strings.Join(inactive, "; "), strings.Join(active, ", "))
			},
		},
		ask("sign-in-assurance", "whether everybody can give the proof that the settings ask for", "give the server a public URL with a host name, or take aal3 out of signin.assurance", func() health.Finding {
			strongest := slices.ContainsFunc(d.cfg.SignIn.demands(), func(r identity.DemandRule) bool { return r.Level == identity.AAL3 })
			if !strongest {
				return health.Good("nothing asks for a passkey that stays on its device")
			}
			if _, err := passkey.New(passkey.Config{PublicURL: d.cfg.PublicURL, Name: d.cfg.Organization}); d.cfg.PublicURL != "" && err != nil {
				return health.Fail("signin.assurance asks for passkeys, which browsers do not offer at %s", d.cfg.PublicURL)
			}
			return health.Good("passkeys that stay on their device are asked for, and can be made")
		}),
		ask("sign-in-places", "how old the file of places is", "replace the file that signin.places_file names", func() health.Finding {
			places, err := d.cfg.SignIn.places()
			switch {
			case err != nil:
				return health.Fail("%v", err)
			case places == nil:
				return health.Note("inactive: there is no file of places")
			}
			age := d.clock.Now().Sub(places.Made())
			return health.Wish(age < placesOld, "%d networks, written %d days ago", places.Len(), int(age.Hours()/24))
		}),
	}
}

// lacking says what the rules lack.
var lacking = map[string]string{
	"places": "there is no file of places", "distances": "the file of places has no latitudes", "passwords": "there is no list of breached passwords",
}
