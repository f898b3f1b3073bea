package identity_test

import (
	"crypto/x509"
	"testing"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/factor/passkey"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/testauthn"
)

// judged is the house with rules about models.
func (h house) judged(t *testing.T, rules identity.KeyRules, makers ...*testauthn.Maker) house {
	t.Helper()
	roots := x509.NewCertPool()
	for _, m := range makers {
		roots.AddCert(m.Authority)
	}
	keys, err := passkey.New(passkey.Config{PublicURL: "https://id.example", Name: "Mandate", Makers: roots, Clock: h.clock})
	if err != nil {
		t.Fatal(err)
	}
	h.deps.Passkeys, h.deps.Policy.Keys = keys, rules
	h.Service = identity.New(h.deps)
	return h
}

// tries enrols a device for somebody who has just signed in.
func (h house) tries(t *testing.T, name string, d *testauthn.Device) error {
	t.Helper()
	secret := h.finish(t, name).Secret
	options, err := h.BeginPasskey(t.Context(), tenant, secret, window)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.Create(options)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.AddPasskey(t.Context(), tenant, secret, window, "", answer, identity.Meta{Address: home})
	return err
}

// SM-05, NI-04: staff use the models that are handed out, vouched for by their makers;
// what is refused says why, and a rule counts for keys from before it.
func TestStaffUseTheModelsThatAreHandedOut(t *testing.T) {
	h := newHouse(t)
	good, bad := []byte("the model 16 by."), []byte("another 16 bytes")
	text, err := identity.ParseModel("746865206d6F64656c2031362062792e")
	if err != nil || text != "74686520-6d6f-6465-6c20-31362062792e" {
		t.Fatal(text, err)
	}
	refused, err := identity.ParseModel("616e6f74-6865-7220-3136-206279746573")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := identity.ParseModel("616e6f74"); !errs.Is(err, errs.Invalid) {
		t.Error(err)
	}
	before := ownKey()
	before.AAGUID = good
	if err := h.tries(t, "osei", before); err != nil {
		t.Fatal(err)
	}
	maker, err := testauthn.NewMaker(h.clock.Now(), good)
	if err != nil {
		t.Fatal(err)
	}
	h = h.judged(t, identity.KeyRules{Staff: []string{text}, Refused: []string{refused}}, maker)
	_, err = h.byPasskey(t, h.asked(t, before, window))
	wantCode(t, err, errs.Forbidden, "passkey-unattested")

	unlisted, banned, synced, silent := ownKey(), ownKey(), ownKey(), ownKey()
	unlisted.AAGUID, banned.AAGUID, synced.AAGUID, silent.AAGUID = []byte("a model nobody l"), bad, good, good
	synced.Synced, synced.Maker = true, maker
	h.clock.advance(identity.ChallengeLife)
	wantCode(t, h.tries(t, "osei", unlisted), errs.Forbidden, "passkey-model")
	h.clock.advance(identity.ChallengeLife)
	wantCode(t, h.tries(t, "osei", synced), errs.Forbidden, "passkey-synced")
	h.clock.advance(identity.ChallengeLife)
	wantCode(t, h.tries(t, "osei", silent), errs.Forbidden, "passkey-unattested")
	h.clock.advance(identity.ChallengeLife)
	wantCode(t, h.tries(t, "tom", banned), errs.Forbidden, "passkey-model")

	// What makers say is asked of those only who need it.
	vouched, private := ownKey(), ownKey()
	vouched.AAGUID, vouched.Maker, private.AAGUID, private.Maker = good, maker, good, maker
	h.clock.advance(identity.ChallengeLife)
	if err := h.tries(t, "osei", vouched); err != nil {
		t.Error(err)
	}
	_, err = h.byPasskey(t, h.asked(t, vouched, window))
	if err != nil {
		t.Error(err)
	}
	h.clock.advance(identity.ChallengeLife)
	if err := h.tries(t, "tom", private); err != nil {
		t.Error(err)
	}
	for _, f := range h.store.factors {
		if k, ok := f.Passkey(); ok && f.PersonID == "p-tom" && (k.Vouched || k.Attestation != "none") {
			t.Errorf("Tom's maker was asked: %+v", k)
		}
	}
}
