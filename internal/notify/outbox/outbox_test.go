package outbox_test

import (
	"context"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
)

// one is a store with one notice, and the channel it goes through.
type one struct {
	outbox.Store
	notice outbox.Notice
	sent   int
	fails  error
	broken error
}

func (o *one) NoticeByID(_ context.Context, _, id string) (outbox.Notice, error) {
	if id != o.notice.ID {
		return outbox.Notice{}, errs.New(errs.NotFound, "notice-not-found", "")
	}
	return o.notice, nil
}

func (o *one) NoticeDelivered(_ context.Context, _, _, channel string, t time.Time) error {
	if o.broken == nil {
		o.notice.Delivered, o.notice.Channel = t, channel
	}
	return o.broken
}

func (o *one) Name() string { return "test" }

func (o *one) Deliver(context.Context, outbox.Notice) error {
	o.sent++
	return o.fails
}

// A notice is delivered until that was noted: at least once, and not again
// afterwards.
func TestDeliverAtLeastOnce(t *testing.T) {
	now := clock.Fixed(time.Unix(1700000000, 0))
	o := &one{notice: outbox.Notice{Tenant: "main", ID: "n1"}}
	d := &outbox.Deliverer{Store: o, Channel: func(outbox.Notice) (outbox.Channel, error) { return o, nil }, Clock: now}
	step := func(what string, wantErr bool, wantSent int) {
		t.Helper()
		if err := d.Deliver(t.Context(), "main", "n1"); (err != nil) != wantErr || o.sent != wantSent {
			t.Errorf("%s: %v, sent %d times", what, err, o.sent)
		}
	}
	o.fails = errs.New(errs.Upstream, "down", "")
	step("the channel is down", true, 1)
	o.fails, o.broken = nil, errs.New(errs.Unavailable, "store-timeout", "")
	step("killed before it was noted", true, 2)
	o.broken = nil
	step("again", false, 3)
	step("once more", false, 3)
	if !o.notice.Delivered.Equal(now.Now()) || o.notice.Channel != "test" {
		t.Errorf("noted: %+v", o.notice)
	}
	if err := d.Deliver(t.Context(), "main", "shredded"); err != nil {
		t.Error(err)
	}
}

// SM-11: what nobody can use any more is not sent, however late the channel comes.
func TestWhatHasEndedIsNotSent(t *testing.T) {
	now := clock.Fixed(time.Unix(1700000000, 0))
	for ends, sent := range map[string]int{
		now.Now().Add(time.Second).UTC().Format(time.RFC3339): 1, now.Now().UTC().Format(time.RFC3339): 0, "soon": 0, "": 0,
	} {
		o := &one{notice: outbox.Notice{Tenant: "main", ID: "n1", Args: map[string]string{outbox.ArgEnds: ends}}}
		d := &outbox.Deliverer{Store: o, Clock: now, Channel: func(outbox.Notice) (outbox.Channel, error) { return o, nil }}
		if err := d.Deliver(t.Context(), "main", "n1"); err != nil || o.sent != sent || o.notice.Delivered.IsZero() {
			t.Errorf("%q: %v, sent %d times, %+v", ends, err, o.sent, o.notice)
		}
	}
	o := &one{notice: outbox.Notice{Tenant: "main", ID: "n1"}}
	none := errs.New(errs.Unavailable, "notice-no-channel", "")
	d := &outbox.Deliverer{Store: o, Clock: now, Channel: func(outbox.Notice) (outbox.Channel, error) { return nil, none }}
	if err := d.Deliver(t.Context(), "main", "n1"); err == nil || !o.notice.Delivered.IsZero() {
		t.Error("a notice without a channel does not wait")
	}
}
