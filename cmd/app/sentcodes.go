package app

import (
	"cmp"
	"context"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/internal/notify/sms"
	"github.com/mandate-health/mandate/internal/notify/smtp"
	"github.com/mandate-health/mandate/internal/tlsconf"
	"github.com/mandate-health/mandate/internal/words"
)

// The features that switch codes off which are sent.
const (
	offEmailCodes = "email-codes"
	offSMSCodes   = "sms-codes"
)

// sent gives the kinds of codes that this server can send: by e-mail where it has a
// mail server, by SMS where it has a gateway; in development the outbox page shows them.
func (c *Config) sent() []identity.FactorKind {
	var out []identity.FactorKind
	if (c.Mail.Server != "" || c.Dev && c.Notify.URL == "") && !c.has(offEmailCodes) {
		out = append(out, identity.FactorEmail)
	}
	if (c.SMS.Gateway != "" || c.Dev && c.Notify.URL == "" && c.Mail.Server == "") && !c.has(offSMSCodes) {
		out = append(out, identity.FactorSMS)
	}
	return out
}

// validateSMS holds what the gateway needs beside itself.
func (c *Config) validateSMS(f *config.Faults) {
	if _, err := (tlsconf.Client{CAFile: c.SMS.CAFile}).TLS(); err != nil {
		f.Add("notify.sms_ca_file", "%v", err)
	}
	if c.SMS.Gateway != "" && c.Mail.Server == "" && c.Notify.URL == "" && !c.Dev {
		f.Add("notify.sms", "people are told of a new number by another way: notify.smtp or notify.webhook is needed too")
	}
}

// openSMS makes the channel of text messages, nil where there is none.
func (a *App) openSMS() (*sms.Channel, error) {
	if a.cfg.SMS.Gateway == "" {
		return nil, nil //nolint:nilnil // no gateway is no fault
	}
	way, err := tlsconf.Client{CAFile: a.cfg.SMS.CAFile}.TLS()
	if err != nil {
		return nil, err
	}
	texts, err := words.New()
	if err != nil {
		return nil, err
	}
	return sms.New(sms.Deps{Config: a.cfg.SMS, TLS: way, Clock: a.clock, Message: func(ctx context.Context, n outbox.Notice) (sms.Message, error) {
		return a.textMessage(ctx, texts, n)
	}}), nil
}

// textMessage writes the message with a code. Its last line binds the code to this
// host, so that browsers fill it in nowhere else (origin-bound one-time codes).
func (a *App) textMessage(ctx context.Context, texts *words.Catalogue, n outbox.Notice) (sms.Message, error) {
	t := a.tenant(n.Tenant)
	if t == nil {
		return sms.Message{}, errs.New(errs.Unavailable, "tenant-not-served", "The tenant of the notice is not served now.")
	}
	if p, err := a.store.PersonByID(ctx, n.Tenant, n.PersonID); errs.Is(err, errs.NotFound) || err == nil && p.Disabled || n.Args["to"] == "" {
		return sms.Message{}, errNoAddress
	} else if err != nil {
		return sms.Message{}, err
	}
	code := t.identity.SentCode(n.Args["ticket"])
	return sms.Message{
		To:   n.Args["to"],
		Text: texts.T(n.Args["lang"], "notice.sent.sms", words.Args{"code": code, "site": t.asks()}) + "\n\n@" + t.host() + " #" + code,
	}, nil
}

// sentLetter writes the e-mail with a code.
func (t *tenant) sentLetter(texts *words.Catalogue, n outbox.Notice) (smtp.Letter, error) {
	if n.Args["to"] == "" {
		return smtp.Letter{}, errNoAddress
	}
	return smtp.Letter{
		To: n.Args["to"], Subject: texts.T(n.Args["lang"], "notice.code.subject", nil),
		Text: texts.T(n.Args["lang"], "notice.sent.email", words.Args{"code": t.identity.SentCode(n.Args["ticket"]), "site": t.asks()}) + "\n",
	}, nil
}

// asks says who asks for a code, as people know it: they must not type it elsewhere.
func (t *tenant) asks() string { return cmp.Or(t.cfg.Organization, "Mandate") + " (" + t.host() + ")" }

func (t *tenant) host() string {
	u, err := url.Parse(t.site.Issuer)
	if err != nil {
		return t.site.Issuer
	}
	return u.Hostname()
}

// sharedMailbox reports whether somebody who helps with the record of a person is known
// to use an address: a code that is sent there would let them in.
func (a *App) sharedMailbox(ctx context.Context, p identity.Person, address string) (bool, error) {
	t := a.tenant(p.Tenant)
	if t == nil {
		return false, errs.New(errs.Unavailable, "tenant-not-served", "The tenant is not served now.")
	}
	foreign, err := t.foreignAddresses(ctx, p)
	return foreign[strings.ToLower(strings.TrimSpace(address))], err
}
