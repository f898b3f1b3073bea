package app

import (
	"encoding/json"
	"net/http"
	"sync"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/web/apidoc"
	"github.com/mandate-health/mandate/web/protocol"
	"github.com/mandate-health/mandate/web/route"
)

const (
	// openAPIPath is where programs read what the administration API takes and
	// gives.
	openAPIPath = "/docs/openapi.json"
	guidePath   = "/docs/registration"
)

// openAPI makes the document of the routes that are described.
func (t *tenant) openAPI(routes []route.Route) (*apidoc.Document, error) {
	scopes := map[string]string{}
	for _, s := range oauth.AdminScopes() {
		scopes[s] = adminScopeText()[s]
	}
	return apidoc.Build(apidoc.API{
		Title: "Mandate: administration and launch", Version: Version,
		Description: "Clients, approvals, grants, launch contexts, consents, brands and the audit log, for operators and EHRs. " +
			"A parameter or member that is not described is refused. Each act stands in the audit log.",
		Issuer: t.site.Issuer, TokenURL: t.site.TokenURL, Docs: t.site.Issuer + guidePath, Scopes: scopes,
	}, routes)
}

// adminScopeText says what each scope of the administration API opens.
func adminScopeText() map[string]string {
	return map[string]string{
		"admin/audit":    "Reading the audit log and its proofs. It goes with no other scope of this API.",
		"admin/brands":   "Publishing the user-access brands.",
		"admin/clients":  "Registering, approving, changing and ending clients, and their last requests.",
		"admin/consents": "Filing and withdrawing Consents, and who is related to whom.",
		"admin/grants":   "Listing and ending what people allowed apps.",
		"admin/launches": "Registering, listing and ending launch contexts.",
		"admin/people":   "Telling what a registration feed and a proofing service found about people.",
		"admin/records":  "Reading and giving the records beside Consents: instruments, checks, findings.",
		"admin/scim":     "Provisioning the accounts of staff by SCIM, which is described at /scim/v2.",
	}
}

// openAPIRoute serves the document, which is made when it is asked for first.
func (t *tenant) openAPIRoute(routes []route.Route) route.Route {
	made := sync.OnceValues(func() ([]byte, error) {
		doc, err := t.openAPI(routes)
		if err != nil {
			return nil, errs.Wrap(err, errs.Internal, "openapi-failed", "The description of the API could not be made.")
		}
		return json.Marshal(doc)
	})
	return route.Route{
		Method: http.MethodGet, Path: openAPIPath, Auth: route.None, PHI: route.NoPHI, Owner: "web/apidoc",
		Reason: "says how the API is called, which is the same at every installation, and nothing of this one but its address",
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			raw, err := made()
			if err != nil {
				t.problem.JSON(w, r, err)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "public, max-age=300")
			w.Header().Set("Access-Control-Allow-Origin", "*")
			_, _ = w.Write(raw)
		}),
	}
}

// launchOperation describes how an EHR registers a launch context.
func launchOperation() *route.Operation {
	return &route.Operation{
		ID: "registerLaunch", Summary: "Registers a launch context for an app that an EHR opens.",
		Detail: "For a client with register_launch, which authenticates by a secret or by an assertion among the members. The handle works once, for five minutes.",
		Body:   route.TypeOf[protocol.LaunchBody](), Answer: route.TypeOf[protocol.LaunchAnswer](), Status: http.StatusCreated,
	}
}
