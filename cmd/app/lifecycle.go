package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/internal/notify/smtp"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/web"
	"github.com/mandate-health/mandate/web/pages/acting"
	"github.com/mandate-health/mandate/web/pages/desk"
	"github.com/mandate-health/mandate/web/pages/papers"
	proxypages "github.com/mandate-health/mandate/web/pages/proxy"
	staffpages "github.com/mandate-health/mandate/web/pages/staff"
	"github.com/mandate-health/mandate/web/records"
	"github.com/mandate-health/mandate/web/route"
)

// life gives the use-cases of people who help with a record.
func (t *tenant) life() *lifecycle.Service {
	return lifecycle.New(lifecycle.Deps{
		Read: t.store, Requests: t.store, Evidence: t.store, Log: t.store, Reviews: t.store, Validator: t.codec, Tx: on(t.store, func(tx store.Tx) lifecycle.Tx { return tx }),
		Consents: t.consents, Proxies: t.proxies, Accounts: t.identity, Clock: t.clock, IDs: t.ids, Hasher: t.hasher,
		Tenant: t.id, Organization: t.custodian, Labelling: t.loader.Labelling, Zone: t.cfg.zone(),
		Law: t.law, Bereavement: t.cfg.Bereavement,
		Born: func(ctx context.Context, patient string) (string, error) {
			d, err := t.record.Patient(ctx, patient)
			return d.BirthDate, err
		},
		Find: t.sought, Officers: t.officers,
		Link: func(secret string) string { return t.site.Issuer + proxypages.InvitationPath + "/" + secret },
	})
}

// sought gives the one patient whose name, birth date and record number were typed.
func (t *tenant) sought(ctx context.Context, n proxy.Sought) (string, error) {
	d, ok, err := t.record.PatientByNumber(ctx, n.Number, n.Born)
	if err != nil || !ok || !sameName(d.Name, n.Name) {
		return "", err
	}
	return d.ID, nil
}

// sameName reports whether at least two words of a name were typed, and no other.
func sameName(name, typed string) bool {
	known, words := strings.Fields(identity.FoldUsername(name)), strings.Fields(identity.FoldUsername(typed))
	slices.Sort(words)
	words = slices.Compact(words)
	return len(words) >= min(2, len(known)) && len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(known, w) })
}

// names gives the names of patients and accounts to pages.
type names struct {
	*upstream.Client
	store *store.Store
}

// PersonByID gives an account.
func (n names) PersonByID(ctx context.Context, tenant, id string) (identity.Person, error) {
	return n.store.PersonByID(ctx, tenant, id)
}

// proxyPages are the pages of patients and of those who help them.
func (t *tenant) proxyPages(life *lifecycle.Service) *proxypages.Handler {
	return proxypages.New(proxypages.Deps{
		Life: life, Desk: t.desk(), Zone: t.cfg.zone(),
		Seen: func(ctx context.Context, a lifecycle.Actor, id string, terms proxy.Terms) (map[string]int, error) {
			return life.Seen(ctx, a, id, terms, t.record)
		},
	})
}

// staffPages are the pages of staff who care for patients.
func (t *tenant) staffPages(life *lifecycle.Service) *staffpages.Handler {
	return staffpages.New(staffpages.Deps{
		Life: life, Desk: t.desk(), Zone: t.cfg.zone(), Calling: t.calling,
	})
}

// paperPages are where papers are put in and looked at.
func (t *tenant) paperPages(life *lifecycle.Service) *papers.Handler {
	return papers.New(papers.Deps{Life: life, Desk: t.desk()})
}

// recordRoutes show people the records beside Consents.
func (t *tenant) recordRoutes(life *lifecycle.Service) []route.Route {
	return records.Deps{
		Life: life, Session: t.session, Problem: t.problem, Base: t.site.Issuer + records.Path, Recorder: t.queue,
		RequestID: web.RequestID, Clock: t.clock, Notices: t.messagePages(life), Lang: t.kit.Lang,
	}.Routes()
}

// desk is what the pages of people who are signed in work with.
func (t *tenant) desk() desk.Desk {
	return desk.Desk{
		Names: names{t.record, t.store}, Kit: t.kit, Session: t.session, Page: t.problem.HTML, RequestID: web.RequestID, Clock: t.clock,
	}
}

// actingPages are where people choose for whom they act; the kit's pages say so.
func (t *tenant) actingPages() *acting.Handler {
	return acting.New(acting.Deps{Accounts: t.identity, Authority: t.loader, Relations: t.store, Desk: t.desk()})
}

// How often one node notes what time has done to accesses: soon after the clock
// was moved in development. No decision waits for it.
const (
	lifeEvery    = time.Minute
	lifeEveryDev = time.Second
)

func (a *App) lifecycleJob() leaderJob {
	every := lifeEvery
	if a.cfg.Dev {
		every = lifeEveryDev
	}
	return leaderJob{"proxies", every, func(ctx context.Context, _ jobs.Turn) error {
		for _, id := range a.ring.Tenants() {
			if t := a.tenant(id); t != nil {
				if err := errors.Join(t.enact(ctx), t.life().Tend(ctx), t.life().Seek(ctx)); err != nil {
					return err
				}
			}
		}
		return nil
	}}
}

// enact applies the law as this process has it to the accesses that there are, once.
func (t *tenant) enact(ctx context.Context) error {
	if t.enacted.Load() {
		return nil
	}
	err := t.life().Enact(ctx)
	t.enacted.Store(err == nil)
	return err
}

// invitationLetter writes to somebody who has no account yet. It says nothing
// about whom it is for.
func invitationLetter(texts *words.Catalogue, n outbox.Notice) (smtp.Letter, error) {
	to := n.Args["to"]
	if to == "" {
		return smtp.Letter{}, errs.New(errs.Invalid, "notice-no-address", "The notice names no address.")
	}
	return smtp.Letter{
		To: to, Subject: texts.T(n.Args["lang"], "notice.invitation.subject", nil),
		Text: texts.T(n.Args["lang"], "notice.invitation.text", words.Args{"link": "\n\n" + n.Args["link"] + "\n\n"}) + "\n",
	}, nil
}

// officers are the auditors of the tenant, who answer for privacy.
func (t *tenant) officers(ctx context.Context) ([]string, error) {
	all, err := t.store.Operators(ctx, t.id)
	var out []string
	for _, o := range all {
		if o.Role == operator.Auditor {
			out = append(out, o.PersonID)
		}
	}
	return out, err
}
