package app

import (
	"context"
	"net/http"

	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/web/authzen"
	"github.com/mandate-health/mandate/web/gateway"
	"github.com/mandate-health/mandate/web/protocol"
	"github.com/mandate-health/mandate/web/route"
)

const ownerAuthZEN = "web/authzen"

// authzenRoutes is where other resource servers ask for decisions. They exist while
// no client may ask, and then tell nothing.
func (t *tenant) authzenRoutes() []route.Route {
	caller := protocol.Caller(protocol.Deps{
		Site: t.siteOf, Engine: t.engine, Auth: t.auth, Problem: t.problem, Origin: t.origin, URL: t.requestURL, Certificate: t.certificate,
	}, func(c oauth.Client) bool { return c.EvaluateAccess })
	asker := t.explainer()
	d := authzen.Deps{
		Tenant: t.id, Issuer: t.site.Issuer, Caller: caller, Subject: t.evaluated, Grant: asker.Holder, Admit: t.admitPerson, Judge: asker.Judge,
		Open:     func(ctx context.Context) (bool, error) { return t.memory.Evaluates(ctx, t.id) },
		Recorder: t.queue, Problem: t.problem, Origin: t.origin, Clock: t.clock,
	}
	asked := func(path string, h http.Handler) route.Route {
		return route.Route{Method: "POST", Path: path, Auth: route.Client, PHI: route.Record, Limit: "introspect", Owner: ownerAuthZEN, Handler: h}
	}
	return []route.Route{
		asked(authzen.EvaluationPath, d.Evaluation()),
		asked(authzen.EvaluationsPath, d.Evaluations()),
		{
			Method: "GET", Path: authzen.MetadataPath, Auth: route.None, PHI: route.NoPHI, Limit: "introspect", Owner: ownerAuthZEN, Handler: d.Metadata(),
			Reason: "tells resource servers where to ask; nothing while no client may (AuthZEN §9.2)",
		},
	}
}

// evaluated gives who holds a token, and the key that whoever presents it must
// prove.
func (t *tenant) evaluated(ctx context.Context, token string) (gateway.Bearer, any, error) {
	c, err := t.engine.Verifier.VerifyAccessToken(ctx, t.id, token)
	if err != nil || c.Confirmation == (oauth.Confirmation{}) {
		return bearerOf(c), nil, err
	}
	return bearerOf(c), c.Confirmation, nil
}
