package clientkey_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys/clientkey"
)

func text(kind string, der []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// RFC 7523, SMART Backend Services: each form of a key signs with the algorithm that
// SMART has for it, and another library verifies it.
func TestSign(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err8 := x509.MarshalPKCS8PrivateKey(ec)
	sec1, err1 := x509.MarshalECPrivateKey(ec)
	for name, c := range map[string]struct {
		pem    []byte
		alg    jose.SignatureAlgorithm
		public any
	}{
		"EC in PKCS 8": {text("PRIVATE KEY", pkcs8, err8), jose.ES384, ec.Public()},
		"EC in SEC 1":  {text("EC PRIVATE KEY", sec1, err1), jose.ES384, ec.Public()},
		"RSA":          {text("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(r), nil), jose.RS384, r.Public()},
	} {
		s, err := clientkey.Parse(c.pem, "k1")
		if err != nil {
			t.Fatal(name, err)
		}
		token, err := s.Sign(map[string]any{"iss": "mandate"})
		if err != nil {
			t.Fatal(name, err)
		}
		signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{c.alg})
		if err != nil {
			t.Fatal(name, err)
		}
		raw, err := signed.Verify(c.public)
		var claims map[string]string
		if err != nil || json.Unmarshal(raw, &claims) != nil || claims["iss"] != "mandate" {
			t.Errorf("%s: %v %s", name, err, raw)
		}
		if h := signed.Signatures[0].Header; h.KeyID != "k1" || h.ExtraHeaders["typ"] != "JWT" {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(p256)
	for name, bad := range map[string][]byte{
		"nothing": nil, "no PEM": []byte("x"), "no key": text("PRIVATE KEY", []byte("x"), nil), "another curve": text("PRIVATE KEY", der, err),
	} {
		if _, err := clientkey.Parse(bad, ""); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
