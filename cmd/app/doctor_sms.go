package app

import (
	"context"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/internal/notify/sms"
	"github.com/mandate-health/mandate/internal/tlsconf"
)

// smsChecks ask the gateway of text messages, without sending one.
func (d *doctor) smsChecks() []health.Check {
	return []health.Check{{
		ID: "sms-gateway", Looks: "whether the gateway of text messages can be reached",
		Remedy: "correct notify.sms and notify.sms_ca_file; see docs/operations/notices.md",
		Look: func(ctx context.Context) health.Finding {
			switch {
			case d.cfg.SMS.Gateway == "":
				return health.Note("inactive: there is no gateway, so no codes go by SMS")
			case d.offline:
				return health.Unseen("not asked: --offline")
			}
			way, err := tlsconf.Client{CAFile: d.cfg.SMS.CAFile}.TLS()
			if err == nil {
				err = sms.New(sms.Deps{Config: d.cfg.SMS, TLS: way, Clock: clock.System{}}).Reach(ctx)
			}
			if err != nil {
				return health.Fail("%v", err)
			}
			return health.Good("it answers")
		},
	}}
}
