package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/internal/notify/smtp"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/proxy"
	regainpages "github.com/mandate-health/mandate/web/pages/regain"
)

// codesEvery is how often codes that somebody asked for are looked for.
const codesEvery = time.Second

// regainPages are the pages of the way back into an account.
func (t *tenant) regainPages() *regainpages.Handler {
	return regainpages.New(regainpages.Deps{
		Accounts: t.identity, Enrols: t.identity, Offers: t.identity, Desk: t.identity, Documents: proxy.Documents(),
		Kit: t.kit, Session: t.session, Page: t.problem.HTML, Clock: t.clock,
	})
}

// contactCodeJob sends the codes that somebody asked for. A tenant that is not
// served now sends none: a code lives for minutes.
func (a *App) contactCodeJob(runner *jobs.Runner) leaderJob {
	return leaderJob{"contact-codes", codesEvery, func(ctx context.Context, _ jobs.Turn) error {
		return runner.Drain(ctx, identity.QueueContactCode, func(ctx context.Context, j jobs.Job) error {
			t := a.tenant(j.Tenant)
			if t == nil {
				return nil
			}
			return t.identity.SendContactCode(ctx, j.Tenant, j.Body, t.ownAddresses)
		})
	}}
}

// helpers gives the accounts of those who help, or were asked to help, with the own
// record of a person.
func (a *App) helpers(ctx context.Context, p identity.Person) ([]string, error) {
	var out []string
	err := a.helping(ctx, p, func(c proxy.Case, r proxy.RelatedPerson) error {
		if c.PersonID != "" {
			out = append(out, c.PersonID)
		}
		if r.ID == "" {
			return nil
		}
		who, err := a.store.PersonByIdentity(ctx, p.Tenant, r.Reference())
		if err == nil {
			out = append(out, who.ID)
		}
		if errs.Is(err, errs.NotFound) {
			return nil
		}
		return err
	})
	return out, err
}

// helping visits the cases and the relations of the own record of a person.
func (a *App) helping(ctx context.Context, p identity.Person, visit func(proxy.Case, proxy.RelatedPerson) error) error {
	for _, id := range p.Identities {
		if id.Resource.Type != "Patient" {
			continue
		}
		cases, err := a.store.CasesOfPatient(ctx, p.Tenant, id.Patient)
		if err != nil {
			return err
		}
		related, err := a.store.RelatedPersonsOfPatient(ctx, p.Tenant, id.Patient)
		if err != nil {
			return err
		}
		for _, c := range cases {
			if err := visit(c, proxy.RelatedPerson{}); err != nil {
				return err
			}
		}
		for _, r := range related {
			if err := visit(proxy.Case{}, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// ownAddresses gives the e-mail addresses that the record has of a person, without
// those of anybody who helps with that record: the address of a proxy proves
// nothing about a patient (SM-20).
func (t *tenant) ownAddresses(ctx context.Context, p identity.Person) ([]string, error) {
	all, err := t.addresses(ctx, p)
	if err != nil {
		return nil, err
	}
	foreign, err := t.foreignAddresses(ctx, p)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(to string) bool { return foreign[strings.ToLower(to)] }), nil
}

// foreignAddresses gives the addresses, in lower case, of those who help with the own
// record of a person, or were asked to.
func (t *tenant) foreignAddresses(ctx context.Context, p identity.Person) (map[string]bool, error) {
	foreign := map[string]bool{}
	err := t.helping(ctx, p, func(c proxy.Case, r proxy.RelatedPerson) error {
		for _, to := range append(emails(r.JSON), c.Email) {
			foreign[strings.ToLower(strings.TrimSpace(to))] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	helpers, err := t.helpers(ctx, p)
	for _, id := range helpers {
		if err != nil {
			return nil, err
		}
		var more []string
		if more, err = t.addressesOf(ctx, id); err == nil {
			for _, to := range more {
				foreign[strings.ToLower(to)] = true
			}
		}
	}
	return foreign, err
}

func (t *tenant) addressesOf(ctx context.Context, account string) ([]string, error) {
	p, err := t.store.PersonByID(ctx, t.id, account)
	if errs.Is(err, errs.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return t.addresses(ctx, p)
}

// regainLetter writes about the way back into an account: a code to the address it
// is for, everything else to every address that is the person's own.
func (t *tenant) regainLetter(ctx context.Context, texts *words.Catalogue, n outbox.Notice, p identity.Person) (smtp.Letter, error) {
	if n.Template == identity.NoticeContactCode {
		return smtp.Letter{
			To: n.Args["to"], Subject: texts.T(p.Language, "notice.code.subject", nil),
			Text: texts.T(p.Language, "notice.code.text", words.Args{"code": n.Args["code"]}) + "\n",
		}, nil
	}
	to, err := t.ownAddresses(ctx, p)
	if err == nil && len(to) == 0 {
		err = errNoAddress
	}
	if err != nil {
		return smtp.Letter{}, err
	}
	text := texts.T(p.Language, "notice.recovery."+n.Args["what"], nil)
	if stop := n.Args["stop"]; stop != "" {
		text += "\n\n" + texts.T(p.Language, "notice.recovery.link", words.Args{"link": "\n\n" + t.site.Issuer + regainpages.StopPath + "/" + stop + "\n\n"})
	}
	return smtp.Letter{To: to[0], Copies: to[1:], Subject: texts.T(p.Language, "notice.recovery.subject", nil), Text: text + "\n"}, nil
}

// addresses gives all e-mail addresses that the record has of a person, the best
// first.
func (t *tenant) addresses(ctx context.Context, p identity.Person) ([]string, error) {
	var out []string
	for _, id := range p.Identities {
		if !id.Verified {
			continue
		}
		raw, err := t.resource(ctx, id.Resource)
		if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, to := range emails(raw) {
			if !slices.Contains(out, to) {
				out = append(out, to)
			}
		}
	}
	return out, nil
}
