package outbox

import (
	"context"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

// Queue is the queue of jobs in which notices wait to be delivered; the body
// of a job is the id of its notice.
const Queue = "notices"

// Channel hands notices on.
type Channel interface {
	// Name says how a notice went.
	Name() string
	// Deliver hands one notice on. It may be called twice for the same one:
	// its ID tells. Errors: errs.Invalid when it can never be delivered; any
	// other is tried again later.
	Deliver(ctx context.Context, n Notice) error
}

// Deliverer delivers the notices of a store through a channel.
type Deliverer struct {
	Store Store
	Clock clock.Clock
	// Channel gives the channel of a notice. Errors: errs.Unavailable while there is
	// none, so that the notice waits.
	Channel func(Notice) (Channel, error)
	// Keep gives the reason why a notice stays in the portal, "" for one that goes
	// out too; nil keeps none. Errors: as a channel's.
	Keep func(ctx context.Context, n Notice) (string, error)
}

// Late is how a notice went that nobody could use any more: it was not sent.
const Late = "ended"

// InPortal is how a notice went that stays in the portal; the reason follows.
const InPortal = "portal: "

// Deliver delivers a notice that was not delivered yet, and then notes that it
// was: a process killed in between delivers it again. One that is gone is done;
// one that has ended, or has to stay in the portal, is only noted.
// Errors: those of the channel; errs.Unavailable.
func (d *Deliverer) Deliver(ctx context.Context, tenant, id string) error {
	n, err := d.Store.NoticeByID(ctx, tenant, id)
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil || !n.Delivered.IsZero() {
		return err
	}
	if n.Over(d.Clock.Now()) {
		return d.Store.NoticeDelivered(ctx, tenant, id, Late, d.Clock.Now())
	}
	if d.Keep != nil {
		why, err := d.Keep(ctx, n)
		if err != nil {
			return err
		}
		if why != "" {
			return d.Store.NoticeDelivered(ctx, tenant, id, InPortal+why, d.Clock.Now())
		}
	}
	channel, err := d.Channel(n)
	if err != nil {
		return err
	}
	if err := channel.Deliver(ctx, n.Outside()); err != nil {
		return err
	}
	return d.Store.NoticeDelivered(ctx, tenant, id, channel.Name(), d.Clock.Now())
}
