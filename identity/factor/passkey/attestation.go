package passkey

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"

	"github.com/go-webauthn/webauthn/protocol"
)

// modelExtension is id-fido-gen-ce-aaguid: the model for which a certificate stands
// (WebAuthn §8.2.1).
var modelExtension = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 45724, 1, 1, 4}

// vouched reports whether a trusted maker vouches for the model: the certificate of the
// attestation names it and leads to an authority of Config.Makers. The signature of the
// attestation was verified before, by the library. A maker's authority may stand for
// many models, so a certificate that names none vouches for nothing.
func (k *Keys) vouched(object protocol.AttestationObject, model []byte) bool {
	if k.cfg.Makers == nil {
		return false
	}
	chain := certificates(object.AttStatement["x5c"])
	if len(chain) == 0 || !bytes.Equal(modelOf(chain[0]), model) {
		return false
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: k.cfg.Makers, Intermediates: between, CurrentTime: k.cfg.Clock.Now(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err == nil
}

// certificates reads the chain of an attestation, nil when it has none or one that
// cannot be read.
func certificates(x5c any) []*x509.Certificate {
	list, _ := x5c.([]any)
	var out []*x509.Certificate
	for _, one := range list {
		der, _ := one.([]byte)
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil
		}
		out = append(out, c)
	}
	return out
}

// modelOf gives the model that a certificate names, nil for none.
func modelOf(c *x509.Certificate) []byte {
	for _, e := range c.Extensions {
		var model []byte
		if !e.Id.Equal(modelExtension) {
			continue
		}
		if rest, err := asn1.Unmarshal(e.Value, &model); err == nil && len(rest) == 0 {
			return model
		}
	}
	return nil
}
