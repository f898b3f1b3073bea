package app

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/internal/notify/sms"
	"github.com/mandate-health/mandate/internal/notify/webhook"
)

// noticeEvery is how often waiting notices are looked for.
const noticeEvery = time.Second

// noticeJobs gives the job that delivers notices, none when no channel is set:
// they then wait in the store until one is.
func (a *App) noticeJobs(ctx context.Context, runner *jobs.Runner) []leaderJob {
	usual, err := a.noticeChannel()
	var texts *sms.Channel
	if err == nil {
		texts, err = a.openSMS()
	}
	if err != nil {
		a.log.ErrorContext(ctx, "notices to people cannot be sent: they wait in the store", "err", err)
		return nil
	}
	if usual == nil {
		a.log.WarnContext(ctx, "no channel is set for notices to people (--notify-smtp, --notify-webhook): they wait in the store")
		return nil
	}
	deliverer := &outbox.Deliverer{Store: a.store, Clock: a.clock, Keep: a.keepIn, Channel: func(n outbox.Notice) (outbox.Channel, error) {
		if texts != nil && n.Template == identity.NoticeSentCode && n.Args["way"] == string(identity.FactorSMS) {
			return texts, nil
		}
		return usual, nil
	}}
	return []leaderJob{{"notices", noticeEvery, func(ctx context.Context, _ jobs.Turn) error {
		return runner.Drain(ctx, outbox.Queue, func(ctx context.Context, j jobs.Job) error {
			return deliverer.Deliver(ctx, j.Tenant, j.Body)
		})
	}}}
}

// noticeChannel chooses how notices leave: the one that is set, in development
// otherwise the page that shows them, else none.
func (a *App) noticeChannel() (outbox.Channel, error) {
	switch {
	case a.cfg.Notify.URL != "":
		return webhook.New(a.cfg.Notify, a.clock), nil
	case a.cfg.Mail.Server != "":
		return a.openMail()
	case a.cfg.Dev:
		return outboxPage{}, nil
	}
	return nil, nil //nolint:nilnil // no channel is no fault
}

// outboxPage is the development page that shows all notices: what is stored is
// delivered.
type outboxPage struct{}

// Name gives "development-page".
func (outboxPage) Name() string { return "development-page" }

// Deliver has nothing left to do.
func (outboxPage) Deliver(context.Context, outbox.Notice) error { return nil }
