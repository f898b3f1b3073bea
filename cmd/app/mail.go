package app

import (
	"cmp"
	"context"
	"encoding/json"
	"net/mail"
	"slices"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/internal/notify/smtp"
	"github.com/mandate-health/mandate/internal/tlsconf"
	"github.com/mandate-health/mandate/internal/words"
)

// openMail makes the channel of e-mail.
func (a *App) openMail() (outbox.Channel, error) {
	way, err := tlsconf.Client{CAFile: a.cfg.Mail.CAFile}.TLS()
	if err != nil {
		return nil, err
	}
	texts, err := words.New()
	if err != nil {
		return nil, err
	}
	return smtp.New(smtp.Deps{Config: a.cfg.Mail, TLS: way, Clock: a.clock, Letter: func(ctx context.Context, n outbox.Notice) (smtp.Letter, error) {
		return a.letter(ctx, texts, n)
	}})
}

// letter writes to the person of a notice. What changed is told after the
// log-in, so every notice has the same words.
func (a *App) letter(ctx context.Context, texts *words.Catalogue, n outbox.Notice) (smtp.Letter, error) {
	t := a.tenant(n.Tenant)
	if t == nil {
		return smtp.Letter{}, errs.New(errs.Unavailable, "tenant-not-served", "The tenant of the notice is not served now.")
	}
	if n.Template == lifecycle.TemplateInvitation {
		return invitationLetter(texts, n)
	}
	if n.Template == identity.NoticeContact {
		return contactLetter(texts, n)
	}
	person, err := a.store.PersonByID(ctx, n.Tenant, n.PersonID)
	if errs.Is(err, errs.NotFound) || err == nil && person.Disabled {
		return smtp.Letter{}, errNoAddress
	}
	if err != nil {
		return smtp.Letter{}, err
	}
	if n.Template == identity.NoticeSentCode {
		return t.sentLetter(texts, n)
	}
	if n.Template == identity.NoticeContactCode || n.Template == identity.NoticeRecovery {
		return t.regainLetter(ctx, texts, n, person)
	}
	if n.Template == identity.NoticeBedside {
		return t.bedsideLetter(ctx, texts, person)
	}
	if n.Template == identity.NoticeEnrolment {
		return t.enrolmentLetter(texts, n)
	}
	to, err := t.reach(ctx, person)
	if err != nil {
		return smtp.Letter{}, err
	}
	return smtp.Letter{
		To: to, Subject: texts.T(person.Language, "notice.subject", nil),
		Text: texts.T(person.Language, "notice.text", words.Args{"link": t.site.Issuer + "/home"}) + "\n",
	}, nil
}

var errNoAddress = errs.New(errs.Invalid, "notice-no-address", "The record has no e-mail address of the person.")

// address gives the e-mail address that the record has of a person: Mandate
// keeps none. Errors: errs.Invalid with code notice-no-address; those of the
// upstream and the store.
func (t *tenant) address(ctx context.Context, p identity.Person) (string, error) {
	for _, id := range p.Identities {
		if !id.Verified {
			continue
		}
		raw, err := t.resource(ctx, id.Resource)
		if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) {
			continue
		}
		if err != nil {
			return "", err
		}
		if to := email(raw); to != "" {
			return to, nil
		}
	}
	return "", errNoAddress
}

// resource reads what stands for a person: relations are Mandate's own (D14).
func (t *tenant) resource(ctx context.Context, ref fhir.Reference) ([]byte, error) {
	if ref.Type == "RelatedPerson" {
		r, err := t.store.RelatedPersonByID(ctx, t.id, ref.ID)
		return r.JSON, err
	}
	return t.record.Read(ctx, ref)
}

// email gives the address of a resource that comes first, "" for none.
func email(raw []byte) string {
	if all := emails(raw); len(all) > 0 {
		return all[0]
	}
	return ""
}

// emails gives the addresses of a resource that are not old, by rank.
func emails(raw []byte) (out []string) {
	type contact struct {
		System, Value, Use string
		Rank               uint
		Period             struct{ End string }
	}
	var doc struct{ Telecom []contact }
	if json.Unmarshal(raw, &doc) != nil {
		return nil
	}
	// None is the last rank.
	slices.SortStableFunc(doc.Telecom, func(a, b contact) int { return cmp.Compare(a.Rank-1, b.Rank-1) })
	for _, c := range doc.Telecom {
		at, err := mail.ParseAddress(c.Value)
		if c.System == "email" && c.Use != "old" && c.Period.End == "" && err == nil {
			out = append(out, at.Address)
		}
	}
	return out
}
