package app

import (
	"cmp"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/factor/passkey"
	"github.com/mandate-health/mandate/identity/factor/totp"
	"github.com/mandate-health/mandate/identity/risk"
	"github.com/mandate-health/mandate/web/federation"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/account"
	"github.com/mandate-health/mandate/web/pages/factors"
	"github.com/mandate-health/mandate/web/route"
)

func (a *App) codes() identity.Codes { return totp.Codes{Issuer: a.serverName()} }

// serverName is what authenticators call this server.
func (a *App) serverName() string { return cmp.Or(a.cfg.Organization, "Mandate") }

// newPasskeys gives nil where browsers offer no passkeys: at an IP address. Errors:
// those of the file of makers.
func (a *App) newPasskeys() (identity.Passkeys, error) {
	makers, err := a.cfg.Passkeys.makers()
	if err != nil {
		return nil, err
	}
	keys, err := passkey.New(passkey.Config{PublicURL: a.public, Name: a.serverName(), Makers: makers, Clock: a.clock})
	if err != nil {
		a.log.Warn("passkeys are off: browsers offer them only at a host name", "place", a.public)
		return nil, nil
	}
	return keys, nil
}

// factorRoutes are the pages on which people see what they sign in with.
func (t *tenant) factorRoutes(others *federation.Handler) []route.Route {
	return factors.New(factors.Deps{
		Accounts: t.identity, Codes: t.identity, Restricted: t.identity, Passkeys: t.passkeys != nil, Kit: t.kit, Session: t.session, Page: t.problem.HTML, Clock: t.clock,
		Provider: others.Name, Links: others.Links,
	}).Routes()
}

// accountRoutes are the pages around a person's own account.
func (t *tenant) accountRoutes() []route.Route {
	return account.New(account.Deps{
		Accounts: t.identity, Addresses: t.identity, Audits: t.store.Audits, Kit: t.kit, Session: t.session, Page: t.problem.HTML, Clock: t.clock,
		Signals: func() (out []pages.Signal) {
			for _, s := range risk.Signals(t.places, t.leaked != nil) {
				out = append(out, pages.Signal{Name: s.Name, Inactive: s.Inactive})
			}
			return out
		},
	}).Routes()
}
