package app

import (
	"context"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/internal/notify/smtp"
	"github.com/mandate-health/mandate/internal/words"
)

// reach gives where a person is written to: at the address that they chose and
// checked, else at that of the directory of staff, else at that of their record. Errors: as for address.
func (t *tenant) reach(ctx context.Context, p identity.Person) (string, error) {
	all, err := t.identity.Contacts(ctx, p.Tenant, p.ID)
	if err != nil {
		return "", err
	}
	if to := identity.Current(all, t.clock.Now()); to != "" {
		return to, nil
	}
	if e, err := t.store.StaffByID(ctx, p.Tenant, p.ID); err == nil && e.Mailbox() != "" {
		return e.Mailbox(), nil
	} else if err != nil && !errs.Is(err, errs.NotFound) {
		return "", err
	}
	return t.address(ctx, p)
}

// contactLetter carries the code to an address that is to be checked.
func contactLetter(texts *words.Catalogue, n outbox.Notice) (smtp.Letter, error) {
	if n.Args["to"] == "" {
		return smtp.Letter{}, errNoAddress
	}
	return smtp.Letter{
		To: n.Args["to"], Subject: texts.T(n.Args["lang"], "notice.contact.subject", nil),
		Text: texts.T(n.Args["lang"], "notice.contact.text", words.Args{"code": n.Args["code"]}) + "\n",
	}, nil
}
