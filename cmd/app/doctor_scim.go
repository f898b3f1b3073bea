package app

import (
	"strings"

	"github.com/mandate-health/mandate/internal/health"
)

// scimChecks say what a directory that provisions staff can do.
func (d *doctor) scimChecks() []health.Check {
	return []health.Check{ask("scim-groups", "what a directory that provisions staff can do",
		"name its groups (scim.groups), and a mail server or a webhook, or set scim.enrolment to federation; see docs/operations/scim.md",
		func() health.Finding {
			var roles []string
			for _, g := range d.cfg.SCIM.groups(d.cfg.Dev) {
				roles = append(roles, g.Name+" gives "+string(g.Role))
			}
			mute := d.cfg.Mail.Server == "" && d.cfg.Notify.URL == "" && !d.cfg.Dev
			switch {
			case len(roles) == 0:
				return health.Note("inactive: no group gives a role")
			case d.cfg.SCIM.Enrolment != enrolFederated && mute:
				return health.Wish(false, "%s; links to enrol cannot be sent", strings.Join(roles, ", "))
			}
			return health.Good("%s", strings.Join(roles, ", "))
		})}
}
