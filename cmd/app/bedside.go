package app

import (
	"context"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/notify/smtp"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/web/pages/bedside"
)

// bedsidePages are both ends of an enrolment before a witness.
func (t *tenant) bedsidePages(life *lifecycle.Service) *bedside.Handler {
	return bedside.New(bedside.Deps{
		Life: life, Accounts: t.identity, Desk: t.desk(),
		Link: func(code string) string { return t.site.Issuer + bedside.Path + "/" + code },
	})
}

// bedsideLetter tells a person, at every address that is their own, that something to
// sign in with was set up at the bedside.
func (t *tenant) bedsideLetter(ctx context.Context, texts *words.Catalogue, p identity.Person) (smtp.Letter, error) {
	to, err := t.ownAddresses(ctx, p)
	if err == nil && len(to) == 0 {
		err = errNoAddress
	}
	if err != nil {
		return smtp.Letter{}, err
	}
	return smtp.Letter{
		To: to[0], Copies: to[1:], Subject: texts.T(p.Language, "notice.bedside.subject", nil), Text: texts.T(p.Language, "notice.bedside.text", nil) + "\n",
	}, nil
}
