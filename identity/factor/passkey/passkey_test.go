package passkey_test

import (
	"testing"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/factor/passkey"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/testauthn"
)

const challenge = "a challenge of the house"

func keys(t *testing.T) *passkey.Keys {
	t.Helper()
	k, err := passkey.New(passkey.Config{PublicURL: "https://id.example:8443", Name: "Mandate"})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func device() *testauthn.Device {
	return &testauthn.Device{Origin: "https://id.example:8443", Host: "id.example"}
}

// register enrols a device.
func register(t *testing.T, k *passkey.Keys, d *testauthn.Device) (identity.Passkey, error) {
	t.Helper()
	options, err := k.Creation(challenge, identity.PasskeyOwner{Handle: []byte("handle"), Name: "rosa"})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.Create(options)
	if err != nil {
		t.Fatal(err)
	}
	return k.Register(challenge, []byte("handle"), answer)
}

// verify logs a device in; asked is the challenge that it was given.
func verify(t *testing.T, k *passkey.Keys, d *testauthn.Device, key identity.Passkey, asked string) (int64, bool, error) {
	t.Helper()
	options, err := k.Request(asked, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.Get(options)
	if err != nil {
		t.Fatal(err)
	}
	if got, id, err := k.Claimed(answer); err != nil || got != asked || string(id) != string(d.ID) {
		t.Errorf("the answer claims %q of %x (%v)", got, id, err)
	}
	return k.Verify(challenge, key, answer)
}

// SM-03: what an authenticator made is known again, with its counter and its
// backup state.
func TestAPasskeyIsKnownAgain(t *testing.T) {
	k, d := keys(t), device()
	d.Synced = true
	key, err := register(t, k, d)
	if err != nil {
		t.Fatal(err)
	}
	if !key.Synced || key.BackedUp || key.Counter != 1 || len(key.AAGUID) != 16 || key.Attestation != "none" {
		t.Errorf("%+v", key)
	}
	d.BackedUp = true
	counter, backedUp, err := verify(t, k, d, key, challenge)
	if err != nil || counter != 2 || !backedUp {
		t.Errorf("%d %v %v", counter, backedUp, err)
	}
}

// SM-03: another origin, another host, nobody verified, another challenge.
func TestLiesAreRefused(t *testing.T) {
	lies := map[string]func(*testauthn.Device){
		"another port":     func(d *testauthn.Device) { d.Origin = "https://id.example" },
		"another origin":   func(d *testauthn.Device) { d.Origin = "https://id.example.evil.example:8443" },
		"plain http":       func(d *testauthn.Device) { d.Origin = "http://id.example:8443" },
		"another host":     func(d *testauthn.Device) { d.Host = "evil.example" },
		"nobody verified":  func(d *testauthn.Device) { d.Unverified = true },
		"backed up, never": func(d *testauthn.Device) { d.BackedUp = true },
	}
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			k, d := keys(t), device()
			lie(d)
			if _, err := register(t, k, d); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("enrolled: %v", err)
			}
			d = device()
			key, err := register(t, k, d)
			if err != nil {
				t.Fatal(err)
			}
			lie(d)
			if _, _, err := verify(t, k, d, key, challenge); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("logged in: %v", err)
			}
		})
	}
	k, d := keys(t), device()
	key, err := register(t, k, d)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := verify(t, k, d, key, "the challenge of somebody else"); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("another challenge: %v", err)
	}
	stranger := device()
	if _, err := register(t, k, stranger); err != nil {
		t.Fatal(err)
	}
	stranger.ID, stranger.Handle = d.ID, d.Handle
	if _, _, err := verify(t, k, stranger, key, challenge); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("another key: %v", err)
	}
	d.Synced = true
	if _, _, err := verify(t, k, d, key, challenge); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("a key that may suddenly be copied: %v", err)
	}
}

func TestAnAddressHasNoPasskeys(t *testing.T) {
	for _, url := range []string{"http://127.0.0.1:8080", "https://[::1]", "://"} {
		if _, err := passkey.New(passkey.Config{PublicURL: url, Name: "Mandate"}); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := passkey.New(passkey.Config{PublicURL: "http://localhost:8080", Name: "Mandate"}); err != nil {
		t.Error(err)
	}
}

func FuzzAnswers(f *testing.F) {
	k, err := passkey.New(passkey.Config{PublicURL: "https://id.example", Name: "Mandate"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"oA"}}`))
	f.Add([]byte(`{"rawId":null}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		_, _, _ = k.Claimed(answer)
		if _, err := k.Register(challenge, []byte("h"), answer); err == nil {
			t.Error("registered")
		}
		if _, _, err := k.Verify(challenge, identity.Passkey{ID: []byte{0}, Handle: []byte("h")}, answer); err == nil {
			t.Error("verified")
		}
	})
}
