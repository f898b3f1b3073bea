package app

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/pages/messages"
)

// messagePages are where people read what they were told, and choose what that is.
func (t *tenant) messagePages(life *lifecycle.Service) *messages.Handler {
	return messages.New(messages.Deps{
		Inbox: t.store, Life: life, Desk: t.desk(),
		Mail: func(ctx context.Context, p identity.Person) (string, bool, error) {
			m, address, err := t.manner(ctx, p, outbox.Notice{})
			return address, len(m.Reasons) > 0 && m.Reasons[0] == proxy.WhyShared, err
		},
	})
}

// told gives what an account was told, in the language of last resort: who reads it is
// not who was told.
func (t *tenant) told(ctx context.Context, account string) ([]evidence.Record, error) {
	p, err := t.store.PersonByID(ctx, t.id, account)
	if err != nil {
		return nil, err
	}
	return t.messagePages(t.life()).Communications(ctx, words.Fallback, p)
}

// manner decides how a notice to a person is told, and gives where its e-mail would
// go.
func (t *tenant) manner(ctx context.Context, p identity.Person, n outbox.Notice) (proxy.Manner, string, error) {
	life := t.life()
	address, err := t.address(ctx, p)
	if err != nil && !errs.Is(err, errs.Invalid) {
		return proxy.Manner{}, "", err
	}
	around, err := life.Around(ctx, p)
	if err != nil {
		return proxy.Manner{}, "", err
	}
	var others []string
	for _, id := range around {
		more, err := t.mailboxesOf(ctx, id)
		if err != nil {
			return proxy.Manner{}, "", err
		}
		others = append(others, more...)
	}
	m, err := life.Manner(ctx, p, n, address, others)
	return m, address, err
}

// mailboxesOf gives the addresses that somebody who helps is known to use: the name
// of the account, which often is one, and that of the record.
func (t *tenant) mailboxesOf(ctx context.Context, person string) ([]string, error) {
	p, err := t.store.PersonByID(ctx, t.id, person)
	if errs.Is(err, errs.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	address, err := t.address(ctx, p)
	if err != nil && !errs.Is(err, errs.Invalid) {
		return nil, err
	}
	return []string{p.Username, address}, nil
}

// keepIn says why a notice stays in the portal: a hold lies on the access by now,
// or the mailbox is not the person's alone. Which address is unsafe is a matter of
// e-mail; another channel has addresses of its own and is told of holds only.
func (a *App) keepIn(ctx context.Context, n outbox.Notice) (string, error) {
	t := a.tenant(n.Tenant)
	if t == nil || n.PersonID == "" || n.Template == identity.NoticeSentCode {
		// A code was asked for just now, at an address that is the person's alone.
		return "", nil
	}
	p, err := a.store.PersonByID(ctx, n.Tenant, n.PersonID)
	if errs.Is(err, errs.NotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	m, _, err := t.manner(ctx, p, n)
	if err != nil || m.Mail {
		return "", err
	}
	why := m.Reasons[0]
	if m.Portal && (a.cfg.Notify.URL != "" || why == proxy.WhyNoAddress) {
		return "", nil // the channel says itself that it has no address
	}
	return string(why), nil
}

// How often one node looks who has looked at records: soon after the clock was moved
// in development.
const (
	usesEvery    = 10 * time.Minute
	usesEveryDev = 2 * time.Second
)

// usesJob tells patients what those who help them have looked at.
func (a *App) usesJob() leaderJob {
	every := usesEvery
	if a.cfg.Dev {
		every = usesEveryDev
	}
	return leaderJob{"uses", every, func(ctx context.Context, _ jobs.Turn) error {
		for _, id := range a.ring.Tenants() {
			if t := a.tenant(id); t != nil {
				if err := t.life().TellOfLooks(ctx); err != nil {
					return err
				}
			}
		}
		return nil
	}}
}
