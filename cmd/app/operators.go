package app

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/web"
	"github.com/mandate-health/mandate/web/federation"
	"github.com/mandate-health/mandate/web/pages/console"
	"github.com/mandate-health/mandate/web/pages/custody"
	"github.com/mandate-health/mandate/web/pages/matching"
	operatorpages "github.com/mandate-health/mandate/web/pages/operator"
	"github.com/mandate-health/mandate/web/scim"
)

// adminPath is where the administration API begins.
const adminPath = "/admin/"

// administrator is the key under which a request carries the client that may
// administer.
type administrator struct{}

// adminBearer guards the administration API. It opens to an access token that a
// backend service got for itself with the scope of the area, and on a
// development server to the token of the ready file.
func (t *tenant) adminBearer(next http.Handler) http.Handler {
	return t.administered(next, t.problem.JSON)
}

// administered is adminBearer with the form in which the caller reads errors.
func (t *tenant) administered(next http.Handler, refuse func(http.ResponseWriter, *http.Request, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, got, found := strings.Cut(r.Header.Get("Authorization"), " ")
		dpop := strings.EqualFold(scheme, "DPoP")
		if !found || !dpop && scheme != "Bearer" {
			refuse(w, r, errs.New(errs.Unauthenticated, "admin-token", "The administration API needs an access token."))
			return
		}
		if t.adminToken() != "" && constantEqual(got, t.adminToken()) {
			next.ServeHTTP(w, r)
			return
		}
		client, err := t.administrator(w, r, oauth.Presentation{DPoP: dpop, Token: got})
		if err != nil {
			refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), administrator{}, client)))
	})
}

// administrator gives the client whose token opens the area of the request.
// Errors: those of engine.Verifier.Presented; errs.Forbidden.
func (t *tenant) administrator(w http.ResponseWriter, r *http.Request, p oauth.Presentation) (string, error) {
	p.Proofs, p.Method, p.URLs = r.Header.Values("DPoP"), r.Method, []string{t.requestURL(r)}
	p.Certificate = t.certificate(r).Thumbprint()
	claims, nonce, err := t.engine.Verifier.Presented(r.Context(), t.id, p)
	if nonce != "" {
		w.Header().Set("DPoP-Nonce", nonce)
	}
	if err != nil {
		return "", err
	}
	if area := t.area(r); claims.Grant.ID != "" || !claims.Client.ForItself() || !oauth.Administers(claims.Scope, area) {
		return "", errs.New(errs.Forbidden, "admin-scope", "The token lacks the scope for this part of the administration API.")
	}
	return claims.ClientID, nil
}

// area gives the part of the administration API that a request is for.
func (t *tenant) area(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.Path, string(t.base))
	if strings.HasPrefix(path, scim.Path+"/") {
		return areaSCIM
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(path, adminPath), "/")
	return name
}

// actor gives the client that administers, "" for a development server's token.
func actor(r *http.Request) string {
	id, _ := r.Context().Value(administrator{}).(string)
	return id
}

// consoleDoor lets people in to the console's pages.
func (t *tenant) consoleDoor() console.Door {
	return console.Door{Kit: t.kit, Session: t.session, Page: t.problem.HTML, Clock: t.clock}
}

// operatorPages are the console's pages about registered apps.
func (t *tenant) operatorPages() *operatorpages.Handler {
	return operatorpages.New(operatorpages.Deps{
		Registry: t.registry(), Holidays: t.registrationPolicy().Holidays, Flights: t.flights, Docs: t.site.Issuer + errorDocs,
		Door: t.consoleDoor(), Holds: t.holdsOperator, RequestID: web.RequestID,
	})
}

// matchPages are about people of whom no rule was sure who they are here.
func (t *tenant) matchPages(others *federation.Handler) *matching.Handler {
	return matching.New(matching.Deps{Door: t.consoleDoor(), Accounts: t.identity, Provider: others.Name, May: t.holdsOperator})
}

// keyPages are the console's pages about keys.
func (t *tenant) keyPages() *custody.Handler {
	return custody.New(custody.Deps{
		Items:     t.keyItems,
		RequestID: web.RequestID,
		Rotate: func(ctx context.Context, use keys.Use, by audit.Event) error {
			_, err := t.custodianOf(by).RotateSigning(ctx, t.id, use, keys.Announce)
			return err
		},
		Door: t.consoleDoor(), Sees: t.seesKeys, Holds: t.holds(operator.KeyCustodian),
	})
}

// keyItems gives the keys of the tenant, and the one that wraps them.
func (t *tenant) keyItems(ctx context.Context) ([]keys.Item, error) {
	items, err := t.inventory().Items(ctx, t.clock.Now())
	return slices.DeleteFunc(items, func(i keys.Item) bool { return i.Tenant != "" && i.Tenant != t.id }), err
}

// seesKeys lets operators look, and those who keep the keys.
func (t *tenant) seesKeys(ctx context.Context, p identity.Person) error {
	err := t.holds(operator.KeyCustodian)(ctx, p)
	if errs.Is(err, errs.Forbidden) {
		return t.holdsOperator(ctx, p)
	}
	return err
}

// holdsOperator asks whether an account may operate. The acts themselves are
// recorded where they are done.
func (t *tenant) holdsOperator(ctx context.Context, p identity.Person) error {
	return t.holds(operator.Operator)(ctx, p)
}

func (t *tenant) holds(role operator.Role) func(context.Context, identity.Person) error {
	return func(ctx context.Context, p identity.Person) error {
		_, err := operator.Holder(ctx, t.store, operator.Need{Tenant: t.id, As: p.Username, Role: role})
		return err
	}
}
