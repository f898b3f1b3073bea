package app

import (
	"fmt"

	"github.com/mandate-health/mandate/identity"
)

// accountDirectory says where the password of somebody of the staff is kept.
type accountDirectory struct {
	namedAccount
	End bool `help:"The directory does not keep the password any more: the person has to choose one at /recover."`
}

// Run moves the password.
func (c *accountDirectory) Run(s *streams) error {
	err := c.use(s, "account directory", func(people *identity.Service) error {
		if c.End {
			return people.KeepHere(s.ctx, c.Tenant, c.Username)
		}
		return people.KeepElsewhere(s.ctx, c.Tenant, c.Username)
	})
	switch {
	case err != nil:
		return err
	case c.End:
		fmt.Fprintf(s.out, "%s has no password now, and chooses one at /recover; all log-ins ended\n", c.Username)
	default:
		fmt.Fprintf(s.out, "%s signs in with the password that the directory keeps; all log-ins ended\n", c.Username)
	}
	return nil
}
