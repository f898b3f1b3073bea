package flow

import (
	"context"
	"net/url"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// Devices finds the request of a device by what its screen shows. It errs as in
// oauth.DeviceStore.
type Devices interface {
	DeviceByUser(ctx context.Context, tenant, userHash string) (oauth.DeviceRequest, error)
}

// errUserCode is the one answer to every code that does not serve, so that who
// guesses learns nothing.
var errUserCode = errs.New(errs.NotFound, "user-code-unknown", "The code is not known, was used or has run out.")

// BeginDevice starts the steps for a device whose code a person typed: from here
// on it is an authorization request like every other, whose answer goes to the
// device (RFC 8628 §3.3). Errors: errs.NotFound for a code that does not serve,
// errs.Unavailable.
func (s *Service) BeginDevice(ctx context.Context, tenant, typed string, who Visitor) (oauth.Pending, error) {
	now := s.Clock.Now()
	code := oauth.ReadUserCode(typed)
	d, err := s.waiting(ctx, tenant, code)
	if err != nil {
		return oauth.Pending{}, err
	}
	client, err := s.Read.ClientByID(ctx, tenant, d.ClientID)
	if errs.Is(err, errs.NotFound) || err == nil && (client.Disabled || !client.DeviceFlow) {
		err = errUserCode
	}
	if err != nil {
		return oauth.Pending{}, err
	}
	p := oauth.Pending{
		Tenant: tenant, ID: s.IDs.ID(), Browser: who.Browser, Created: now, Expires: now.Add(life),
		Request: oauth.AuthorizeRequest{
			ClientID: d.ClientID, Scope: d.Scope, Aud: s.Base, MaxAge: -1,
			RedirectURI: s.DevicePage + "/done?client=" + url.QueryEscape(d.ClientID),
			Device:      oauth.DeviceRef{Hash: d.Hash, Code: oauth.ShowUserCode(code)},
		},
	}
	if d.Expires.Before(p.Expires) {
		p.Expires = d.Expires
	}
	s.foresee(ctx, &p, who)
	return p, s.Tx.InTx(ctx, func(tx Tx) error {
		if err := tx.PutPending(ctx, p); err != nil {
			return err
		}
		e := s.event(p, who, audit.AuthorizeRequested)
		e.Detail = map[string]string{"flow": "device"}
		return tx.AppendAudit(ctx, e)
	})
}

// waiting finds the request that nobody answered yet.
func (s *Service) waiting(ctx context.Context, tenant, code string) (oauth.DeviceRequest, error) {
	if code == "" {
		return oauth.DeviceRequest{}, errUserCode
	}
	now := s.Clock.Now()
	for _, hash := range oauth.UserCodeHashes(s.Hasher, code, now) {
		d, err := s.Devices.DeviceByUser(ctx, tenant, hash)
		if err == nil && d.Waits(now) {
			return d, nil
		}
		if err != nil && !errs.Is(err, errs.NotFound) {
			return oauth.DeviceRequest{}, err
		}
	}
	return oauth.DeviceRequest{}, errUserCode
}

// fromDevice reports whether the answer goes to a device.
func fromDevice(p oauth.Pending) bool { return p.Request.Device.Hash != "" }

// tellDevice gives a device the answer for which it waits. Others get a code,
// which the browser carries to the app.
func (s *Service) tellDevice(ctx context.Context, tx Tx, p oauth.Pending, g oauth.Grant) error {
	if !fromDevice(p) {
		return nil
	}
	first, err := tx.AnswerDevice(ctx, p.Tenant, p.Request.Device.Hash, g.ID, g.Created)
	if err == nil && !first {
		err = errAnswered
	}
	return err
}

// turnAway tells a device that the answer is no. One that was answered before
// keeps its answer.
func (s *Service) turnAway(ctx context.Context, tx Tx, p oauth.Pending) error {
	if !fromDevice(p) {
		return nil
	}
	_, err := tx.AnswerDevice(ctx, p.Tenant, p.Request.Device.Hash, "", s.Clock.Now())
	return err
}
