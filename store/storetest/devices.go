package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// RFC 8628: a device's request is answered once and used once.
func devices(t *testing.T, s *store.Store) {
	ctx := t.Context()
	d := oauth.DeviceRequest{Tenant: tenant, Hash: "d1", UserHash: "u1", ClientID: "app", Scope: "patient/*.rs",
		Created: noon(), Expires: noon().Add(time.Minute), Interval: 5 * time.Second}
	_, err := s.DeviceByHash(ctx, tenant, "d1")
	fails(t, err, errs.NotFound)
	must(t, s.CreateDevice(ctx, d))
	twin := d
	twin.Hash = "d2"
	fails(t, s.CreateDevice(ctx, twin), errs.Conflict)
	equal(t, got(s.DeviceByHash(ctx, tenant, "d1"))(t), d)
	equal(t, got(s.DeviceByUser(ctx, tenant, "u1"))(t), d)
	_, err = s.DeviceByUser(ctx, other, "u1")
	fails(t, err, errs.NotFound)

	d.Polled, d.Interval = noon().Add(time.Second), 10*time.Second
	must(t, s.PollDevice(ctx, tenant, "d1", d.Polled, d.Interval))
	equal(t, got(s.DeviceByHash(ctx, tenant, "d1"))(t), d)

	// What nobody answered is not used.
	equal(t, got(s.UseDevice(ctx, tenant, "d1", noon()))(t), false)
	d.Answered, d.GrantID = noon().Add(2*time.Second), "g1"
	equal(t, got(s.AnswerDevice(ctx, tenant, "d1", "g1", d.Answered))(t), true)
	equal(t, got(s.AnswerDevice(ctx, tenant, "d1", "g2", noon()))(t), false)
	d.Used = noon().Add(3 * time.Second)
	equal(t, got(s.UseDevice(ctx, other, "d1", d.Used))(t), false)
	equal(t, got(s.UseDevice(ctx, tenant, "d1", d.Used))(t), true)
	equal(t, got(s.UseDevice(ctx, tenant, "d1", noon()))(t), false)
	equal(t, got(s.DeviceByHash(ctx, tenant, "d1"))(t), d)

	no := oauth.DeviceRequest{Tenant: tenant, Hash: "d3", UserHash: "u3", Created: noon(), Expires: noon()}
	must(t, s.CreateDevice(ctx, no))
	equal(t, got(s.AnswerDevice(ctx, tenant, "d3", "", noon()))(t), true)
	equal(t, got(s.UseDevice(ctx, tenant, "d3", noon()))(t), false)
}

// Of many that redeem one device code at once exactly one gets it.
func deviceRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, s.CreateDevice(ctx, oauth.DeviceRequest{Tenant: tenant, Hash: "d1", UserHash: "u1", Created: noon(), Expires: noon().Add(time.Hour)}))
	equal(t, race(t, 20, "", func(int) (bool, error) { return s.AnswerDevice(ctx, tenant, "d1", "g", noon()) }), 1)
	equal(t, race(t, 50, "", func(int) (bool, error) { return s.UseDevice(ctx, tenant, "d1", noon()) }), 1)
}
