package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/errs"
)

// RFC 7515 §7.1, RFC 7518 §3.3 and §3.4: another library reads what is written,
// also when a number of a signature begins with zeros (one in 128).
func TestWhatIsSignedIsReadByGoJOSE(t *testing.T) {
	for use, times := range map[Use]int{UseAccessToken: 600, UseIDTokenES256: 1, UseIDToken: 3} {
		stored, err := makeKey("t", use, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		k, err := openKey(stored)
		if err != nil {
			t.Fatal(err)
		}
		for range times {
			token, err := k.sign("at+jwt", map[string]string{"sub": "<rosa> & \"co\""})
			if err != nil {
				t.Fatal(err)
			}
			jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{algorithm(use)})
			if err != nil {
				t.Fatalf("%s: %v", token, err)
			}
			payload, err := jws.Verify(k.public.Key)
			if want := `{"sub":"\u003crosa\u003e \u0026 \"co\""}`; err != nil || string(payload) != want {
				t.Fatalf("%s: %s, %v", use, payload, err)
			}
			head := jws.Signatures[0].Protected
			if head.KeyID != stored.KID || head.ExtraHeaders[jose.HeaderType] != "at+jwt" || len(head.ExtraHeaders) != 1 {
				t.Fatalf("header %+v", head)
			}
		}
	}
}

// A key of another curve than the algorithm's would write a signature of another
// length.
func TestAKeyOfAnotherCurveIsRefused(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	_, err = openKey(SigningKey{Use: UseAccessToken, Alg: "ES256", Private: der})
	if !errs.Is(err, errs.Internal) || !strings.Contains(err.Error(), "cannot sign") {
		t.Errorf("got %v", err)
	}
	k := &ringKey{stored: SigningKey{Alg: "ES256"}}
	if _, err := k.sign("JWT", nil); !errs.Is(err, errs.Internal) {
		t.Errorf("without a key: %v", err)
	}
}
