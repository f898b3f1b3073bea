package registration_test

import (
	"testing"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/registration"
)

// byCertificate is a client that shows a TLS client certificate.
func byCertificate() registration.Entry {
	e := app()
	e.AuthMethod, e.TLSDNS = oauth.MethodTLS, "app.example"
	return e
}

// refusedBecause reports whether an error is an invalid_client_metadata with a code.
func refusedBecause(err error, code string) bool {
	return errs.Is(err, errs.InvalidClientMetadata) && errs.As(err).Code == code
}

// RFC 7591 §3.2.2, RFC 8705: nobody is registered for what the server does not
// offer, whoever asks; who was registered for it before may still be edited.
func TestNothingIsRegisteredThatIsNotOffered(t *testing.T) {
	ctx := t.Context()
	all, ownOnly := registration.Everything(), registration.Offer{Certificates: []string{oauth.MethodTLSOfSelf}}
	bound := app()
	bound.CertificateBound = true
	switched := app()
	switched.GrantTypes = []string{"authorization_code", device}
	off := registration.Everything()
	off.Off = []string{device}
	for what, row := range map[string]struct {
		offer registration.Offer
		entry registration.Entry
		code  string
	}{
		"a certificate, and none is asked for":     {registration.Offer{}, byCertificate(), "client-method-not-offered"},
		"a name, and no authority is known":        {ownOnly, byCertificate(), "client-method-not-offered"},
		"a name, and authorities are known":        {all, byCertificate(), ""},
		"a binding, and no certificate is seen":    {registration.Offer{}, bound, "client-binding-not-offered"},
		"a binding":                                {ownOnly, bound, ""},
		"a device, and the flow is switched off":   {off, switched, "client-grant-not-offered"},
		"a device":                                 {all, switched, ""},
		"an ordinary app where nothing is offered": {registration.Offer{}, app(), ""},
	} {
		desk, _ := newDesk()
		desk.Offer = row.offer
		_, err := desk.Register(ctx, "main", row.entry, audit.Event{})
		if row.code == "" && err != nil || row.code != "" && !refusedBecause(err, row.code) {
			t.Errorf("%s, an operator: %v", what, err)
		}
		d, r, _ := dynamic(registration.Policy{Mode: registration.ByApproval, Offer: row.offer})
		_, err = d.Register(ctx, registration.Request{Tenant: "main", Metadata: row.entry.Metadata})
		if row.code == "" && err != nil || row.code != "" && !refusedBecause(err, row.code) {
			t.Errorf("%s, itself: %v", what, err)
		}
		if row.code != "" && len(r.clients) > 0 {
			t.Errorf("%s: something is registered", what)
		}
	}
}

// Who was registered while certificates were asked for stays so: its name can be
// changed, by operators and by itself.
func TestWhatWasOfferedOnceCanBeEdited(t *testing.T) {
	ctx := t.Context()
	desk, _ := newDesk()
	desk.Offer = registration.Everything()
	made, err := desk.Register(ctx, "main", byCertificate(), audit.Event{})
	if err != nil {
		t.Fatal(err)
	}
	desk.Offer = registration.Offer{}
	edited := registration.Of(made.Client)
	edited.Name = "Renamed"
	if c, err := desk.Edit(ctx, "main", registration.Editing{Entry: edited}); err != nil || c.Name != "Renamed" {
		t.Errorf("%+v %v", c, err)
	}
	edited.CertificateBound = true
	if _, err := desk.Edit(ctx, "main", registration.Editing{Entry: edited}); !refusedBecause(err, "client-binding-not-offered") {
		t.Errorf("bound anew: %v", err)
	}

	d, _, _ := dynamic(registration.Policy{Mode: registration.ByApproval, Offer: registration.Everything()})
	own := registration.Request{Tenant: "main", Metadata: byCertificate().Metadata}
	card, err := d.Register(ctx, own)
	if err != nil {
		t.Fatal(err)
	}
	d.Offer = registration.Offer{}
	own.ID, own.Token, own.Metadata.Name = card.Client.ID, card.Token, "Renamed"
	if again, err := d.Replace(ctx, own); err != nil || again.Client.Name != "Renamed" {
		t.Errorf("%+v %v", again, err)
	}
}
