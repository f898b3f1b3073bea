package app

import (
	"context"
	"net/http"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/directory"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/internal/notify/smtp"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
	regainpages "github.com/mandate-health/mandate/web/pages/regain"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/scim"
)

// areaSCIM is the part of the administration API that is spoken as SCIM.
const areaSCIM = "scim"

// scimRoutes are for directories that provision staff.
func (t *tenant) scimRoutes() []route.Route {
	staff := t.directory()
	routes := scim.Deps{
		Tenant: t.id, Issuer: t.site.Issuer, Docs: t.site.Issuer + "/help", Users: staff, Groups: staff, Problem: t.problem, Scope: oauth.ScopeOfArea(areaSCIM),
		Guard: func(next http.Handler) http.Handler { return t.administered(next, t.problem.SCIM) }, By: t.by,
	}.Routes()
	for i := range routes {
		// A refusal of a limit is told as SCIM too.
		routes[i].Handler = t.limit("admin", t.problem.SCIM, routes[i].Handler)
	}
	return routes
}

// by prepares the audit event of a client that administers.
func (t *tenant) by(r *http.Request) audit.Event {
	network, requestID := t.origin(r)
	e := audit.Event{Tenant: t.id, Time: t.clock.Now(), Network: network, RequestID: requestID}
	if id := actor(r); id != "" {
		e.Detail = map[string]string{"administrator": id}
	}
	return e
}

// directory keeps the accounts of staff as a directory says.
func (t *tenant) directory() *directory.Service {
	grants := t.connections()
	return &directory.Service{
		Tx:   on(t.store, func(tx store.Tx) directory.Tx { return staffTx{tx, grants} }),
		Read: t.store, Accounts: t.identity, Clock: t.clock, IDs: t.ids,
		Groups: t.cfg.SCIM.groups(t.cfg.Dev), ByMail: t.cfg.SCIM.Enrolment != enrolFederated,
		Elsewhere: t.cfg.SCIM.Enrolment == enrolLDAP && t.cfg.LDAP.keeps(t.id),
	}
}

// staffTx is a transaction in which what people allowed apps ends with their account.
type staffTx struct {
	store.Tx
	grants *oauth.Connections
}

// EndGrants implements directory.Tx.
func (x staffTx) EndGrants(ctx context.Context, p identity.Person, reason string, origin audit.Event) error {
	all, err := x.GrantsOfPerson(ctx, p.Tenant, p.ID)
	for _, g := range all {
		if err == nil && g.Revoked.IsZero() {
			err = x.grants.EndTx(ctx, x.Tx, g, reason, origin)
		}
	}
	return err
}

// enrolmentLetter carries the link by which somebody of the staff enrols.
func (t *tenant) enrolmentLetter(texts *words.Catalogue, n outbox.Notice) (smtp.Letter, error) {
	if n.Args["to"] == "" {
		return smtp.Letter{}, errNoAddress
	}
	link := t.site.Issuer + regainpages.EnrolPath + "/" + n.Args["secret"]
	return smtp.Letter{
		To: n.Args["to"], Subject: texts.T(n.Args["lang"], "notice.enrol.subject", nil),
		Text: texts.T(n.Args["lang"], "notice.enrol.text", words.Args{"link": "\n\n" + link + "\n\n"}) + "\n",
	}, nil
}
