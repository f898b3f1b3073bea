package grant

import (
	"context"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine"
)

// Devices reads requests of devices. Each method errs as in oauth.DeviceStore.
type Devices interface {
	DeviceByHash(ctx context.Context, tenant, hash string) (oauth.DeviceRequest, error)
}

// deviceCode gives tokens to a device that a person connected on another one
// (RFC 8628 §3.4).
type deviceCode struct{ devices Devices }

// Name gives the grant type of RFC 8628 §3.4.
func (deviceCode) Name() string { return Device }

// Fill finds the request of the device and what the person answered. A code of
// another client is told as unknown. A device that asks before its time has to
// wait longer from then on (RFC 8628 §3.5).
func (k deviceCode) Fill(ctx context.Context, in Asked) (Blanks, error) {
	if !in.Client.DeviceFlow {
		return Blanks{}, errUnauthorized()
	}
	if !in.Form.Has("device_code") {
		return Blanks{}, errs.New(errs.InvalidRequest, "parameter-missing", "device_code is missing.")
	}
	hash := oauth.DeviceHash(in.Hasher, in.Form.Get("device_code"))
	d, err := k.devices.DeviceByHash(ctx, in.Site.Tenant, hash)
	if errs.Is(err, errs.NotFound) || err == nil && d.ClientID != in.Client.ID {
		return Blanks{}, errs.New(errs.InvalidGrant, "device-code-unknown", "The device code is refused: it is not known.")
	}
	switch {
	case err != nil:
		return Blanks{}, err
	case d.GrantID == "" && !d.Answered.IsZero():
		return Blanks{}, errs.New(errs.AccessDenied, "device-denied", "The person did not let the device in.")
	case d.GrantID == "" && !in.Now.Before(d.Expires):
		return Blanks{}, errDeviceExpired()
	case d.GrantID == "":
		return poll(in, d)
	}
	_, st, err := in.Reader.TokenStanding(ctx, in.Site.Tenant, oauth.TokenRef{ClientID: d.ClientID, GrantID: d.GrantID})
	if errs.Is(err, errs.NotFound) {
		err = errEnded()
	}
	if err != nil {
		return Blanks{}, err
	}
	b := Blanks{Grant: st.Grant, Standing: st, Scopes: st.Grant.Scopes, Direct: &engine.Direct{Person: true}}
	switch {
	case !d.Used.IsZero():
		return b, errReplayedDevice()
	case !in.Now.Before(d.Expires):
		return b, errDeviceExpired()
	case !st.Live(in.Now):
		return b, errEnded()
	}
	b.Also = func(ctx context.Context, tx oauth.Tx) error {
		first, err := tx.UseDevice(ctx, in.Site.Tenant, hash, in.Now)
		if err == nil && !first {
			err = errReplayedDevice()
		}
		return err
	}
	return b, nil
}

// poll answers a device for which nobody answered yet. It writes at most once in
// an interval, and no more once a device that hurries has the longest one.
func poll(in Asked, d oauth.DeviceRequest) (Blanks, error) {
	note := func(b *Blanks) {
		b.Also = func(ctx context.Context, tx oauth.Tx) error {
			return tx.PollDevice(ctx, in.Site.Tenant, d.Hash, in.Now, d.Interval)
		}
	}
	var b Blanks
	if !d.Polled.IsZero() && in.Now.Before(d.Polled.Add(d.Interval)) {
		if d.Interval < oauth.DevicePollMost {
			d.Interval = min(d.Interval+oauth.DevicePoll, oauth.DevicePollMost)
			note(&b)
		}
		return b, errs.New(errs.SlowDown, "device-slow-down", "The device asks too often; it has to wait five seconds longer from now on.")
	}
	note(&b)
	return b, errs.New(errs.AuthorizationPending, "device-pending", "Nobody has answered yet.")
}

func errDeviceExpired() error {
	return errs.New(errs.ExpiredToken, "device-code-expired", "The device code has expired: begin anew.")
}

func errReplayedDevice() error {
	return errs.New(errs.InvalidGrant, "device-code-replayed", "The device code is refused: it was used before, so its grant was ended.")
}
