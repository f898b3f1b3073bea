package passkey_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/factor/passkey"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/testauthn"
)

// SM-05: a model counts as vouched for only by a certificate that names it and leads to
// a maker who is trusted; and nobody's maker is asked without need.
func TestAMakerVouchesForAModel(t *testing.T) {
	now := time.Now()
	model, other := []byte("the model 16 by."), []byte("another 16 bytes")
	trusted, nameless, stranger := maker(t, now, model), maker(t, now, nil), maker(t, now, model)
	roots := x509.NewCertPool()
	roots.AddCert(trusted.Authority)
	roots.AddCert(nameless.Authority)
	for name, c := range map[string]struct {
		maker  *testauthn.Maker
		quiet  bool
		at     time.Duration
		want   bool
		format string
	}{
		"vouched":            {maker: trusted, want: true, format: "packed"},
		"names no model":     {maker: nameless, format: "packed"},
		"of another maker":   {maker: stranger, format: "packed"},
		"long out of date":   {maker: trusted, at: 20 * 365 * 24 * time.Hour, format: "packed"},
		"nobody was asked":   {maker: trusted, quiet: true, format: "none"},
		"a device says none": {format: "none"},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := passkey.New(passkey.Config{PublicURL: "https://id.example:8443", Name: "Mandate", Makers: roots, Clock: clock.Fixed(now.Add(c.at))})
			if err != nil {
				t.Fatal(err)
			}
			d := device()
			d.AAGUID, d.Maker = model, c.maker
			options, err := k.Creation(challenge, identity.PasskeyOwner{Handle: []byte("handle"), Name: "osei", Attest: !c.quiet})
			if err != nil {
				t.Fatal(err)
			}
			answer, err := d.Create(options)
			if err != nil {
				t.Fatal(err)
			}
			key, err := k.Register(challenge, []byte("handle"), answer)
			if err != nil || key.Vouched != c.want || key.Attestation != c.format {
				t.Errorf("%+v %v", key, err)
			}
			if _, _, err := verify(t, k, d, key, challenge); err != nil {
				t.Errorf("the key does not log in: %v", err)
			}
		})
	}
	k, d := keys(t), device()
	d.AAGUID, d.Maker = other, trusted
	options, err := k.Creation(challenge, identity.PasskeyOwner{Handle: []byte("handle"), Attest: true})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.Create(options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Register(challenge, []byte("handle"), answer); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("a certificate for another model: %v", err)
	}
}

func maker(t *testing.T, now time.Time, model []byte) *testauthn.Maker {
	t.Helper()
	m, err := testauthn.NewMaker(now, model)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
