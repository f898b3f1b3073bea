package app

import (
	"fmt"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/operator"
)

// namedAccount is an account that a command is about.
type namedAccount struct {
	storeFlags
	asFlag
	Tenant   string `default:"default" help:"Tenant at which the person signs in (default ${default})." placeholder:"ID"`
	Username string `arg:"" help:"Name to sign in with."`
}

// accountReopen lets people sign in on new devices again.
type accountReopen struct{ namedAccount }

// accountSignOut ends sessions.
type accountSignOut struct{ namedAccount }

// use runs an act of an operator on the accounts of the tenant.
func (c *namedAccount) use(s *streams, act string, fn func(*identity.Service) error) error {
	return c.with(s, func(a *App) error {
		hasher, err := a.tenantHasher(s.ctx, c.Tenant)
		if err != nil {
			return err
		}
		if _, err := a.requireOperator(s, operator.Need{Tenant: c.Tenant, As: c.As, Role: operator.Operator, Act: act}); err != nil {
			return err
		}
		return fn(a.newIdentity(hasher))
	})
}

// Run forgets the failed tries of strangers.
func (c *accountReopen) Run(s *streams) error {
	err := c.use(s, "account reopen", func(people *identity.Service) error { return people.Reopen(s.ctx, c.Tenant, c.Username) })
	if err == nil {
		fmt.Fprintf(s.out, "%s can sign in on new devices again\n", c.Username)
	}
	return err
}

// Run ends all sessions of the account.
func (c *accountSignOut) Run(s *streams) error {
	ended := 0
	err := c.use(s, "account sign-out", func(people *identity.Service) (err error) {
		ended, err = people.SignOutEverywhere(s.ctx, c.Tenant, c.Username)
		return err
	})
	if err == nil {
		fmt.Fprintf(s.out, "%s: %d log-ins ended\n", c.Username, ended)
	}
	return err
}
