package app

import (
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	"github.com/mandate-health/mandate/oauth/registration"
	"github.com/mandate-health/mandate/web/register"
	"github.com/mandate-health/mandate/web/route"
)

// registerPath is the path of the registration endpoint.
const registerPath = "/register"

const ownerRegister = "web/register"

// dynamic gives the use-cases of clients that register themselves.
func (t *tenant) dynamic() *registration.Dynamic {
	return &registration.Dynamic{Service: t.registry(), Policy: t.registrationPolicy(), HashSecret: clientauth.SecretHash, Admit: t.admitClient}
}

// registerRoutes are dynamic registration and its management. They exist while
// it is off too, and then answer that it is.
func (t *tenant) registerRoutes() []route.Route {
	d := register.Deps{Tenant: t.id, Registry: t.dynamic(), URL: t.site.Issuer + registerPath, Problem: t.problem, Origin: t.origin}
	return []route.Route{
		{
			Method: "GET", Path: guidePath, Auth: route.None, PHI: route.NoPHI, Owner: ownerRegister,
			Handler: register.Guide(d, t.site.FHIRBase+"/.well-known/smart-configuration", t.site.Issuer+openAPIPath),
			Reason:  "how to register must be readable without any condition (45 CFR 170.404(b))",
		},
		{
			Method: "POST", Path: registerPath, Auth: route.None, PHI: route.NoPHI, Limit: "register", Owner: ownerRegister, Handler: register.Add(d),
			Reason: "a client that registers has no credential yet; off unless an operator opens it, and what comes waits for approval (RFC 7591)",
		},
		{Method: "GET", Path: registerPath + "/{id}", Auth: route.Bearer, PHI: route.NoPHI, Limit: "token", Owner: ownerRegister, Scopes: "registration", Handler: register.Managed(d)},
		{Method: "PUT", Path: registerPath + "/{id}", Auth: route.Bearer, PHI: route.NoPHI, Limit: "token", Owner: ownerRegister, Scopes: "registration", Handler: register.Replace(d)},
		{Method: "DELETE", Path: registerPath + "/{id}", Auth: route.Bearer, PHI: route.NoPHI, Limit: "token", Owner: ownerRegister, Scopes: "registration",
			Handler: register.Unregister(d)},
	}
}
