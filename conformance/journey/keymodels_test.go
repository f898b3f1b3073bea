package journey

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// browserModel is the AAGUID of the browser's virtual authenticator.
const browserModel = "01020304-0506-0708-0102-030405060708"

// authority writes the authority of a maker whom no browser knows.
func authority(t *testing.T) string {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "A maker"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(nil, template, template, own.Public(), own)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "makers.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// synced gives the browser an authenticator whose keys its provider copies.
func (b *tab) synced() {
	b.t.Helper()
	b.run(webauthn.Enable(), chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
			DefaultBackupEligibility: true, DefaultBackupState: true,
		}).Do(ctx)
		return err
	}))
}

// SM-05, NI-04: a doctor's browser is asked for the maker of the key. One that nobody
// here trusts is refused, so is one that is copied, and one of a model that nobody may
// use; each time the page says why.
func TestTheDoctorsKey(t *testing.T) {
	w := newWorld(t, "--passkey-staff-model", browserModel, "--passkey-makers", authority(t))
	b := w.newBrowser()
	b.authenticator(true)
	b.visit("/factors/passkey")
	b.signIn("osei")
	b.heading("Add a passkey")
	b.click("main form button.primary")
	b.until("the refusal", "document.querySelector('#errors')?.innerText.includes('We could not check who made this key')")

	copied := w.newBrowser()
	copied.synced()
	copied.visit("/factors/passkey")
	copied.signIn("osei")
	copied.heading("Add a passkey")
	copied.click("main form button.primary")
	copied.until("the refusal", "document.querySelector('#errors')?.innerText.includes('can be copied to other devices')")

	w = newWorld(t, "--passkey-refused-model", browserModel)
	b = w.newBrowser()
	b.authenticator(true)
	b.visit("/factors/passkey")
	b.signIn("rosa")
	b.heading("Add a passkey")
	b.click("main form button.primary")
	b.until("the refusal", "document.querySelector('#errors')?.innerText.includes('a kind that is not accepted here')")
}
