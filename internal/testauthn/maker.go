package testauthn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"math/big"
	"time"
)

// Maker makes authenticators of one model, and vouches for them.
type Maker struct {
	// Authority is the certificate that its attestations lead to.
	Authority *x509.Certificate
	batch     []byte
	key       *ecdsa.PrivateKey
}

// NewMaker gives a maker whose certificates are good around a time; they name the model
// unless it is nil.
func NewMaker(now time.Time, model []byte) (*Maker, error) {
	top, err := ecdsa.GenerateKey(elliptic.P256(), nil)
	if err != nil {
		return nil, err
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "A maker of keys"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(9, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(nil, root, root, top.Public(), top)
	if err != nil {
		return nil, err
	}
	m := &Maker{}
	if m.Authority, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	if m.key, err = ecdsa.GenerateKey(elliptic.P256(), nil); err != nil {
		return nil, err
	}
	batch := &x509.Certificate{
		SerialNumber: big.NewInt(2), BasicConstraintsValid: true, NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		Subject: pkix.Name{Country: []string{"ES"}, Organization: []string{"A maker of keys"}, OrganizationalUnit: []string{"Authenticator Attestation"}, CommonName: "A batch"},
	}
	if model != nil {
		value, err := asn1.Marshal(model)
		if err != nil {
			return nil, err
		}
		batch.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 45724, 1, 1, 4}, Value: value}}
	}
	m.batch, err = x509.CreateCertificate(nil, batch, m.Authority, m.key.Public(), top)
	return m, err
}

// PEM gives the authority as a file holds it.
func (m *Maker) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.Authority.Raw})
}

// statement gives the format of an attestation with its key and value in CBOR: none
// unless it was asked for, else packed (WebAuthn §8.2).
func (d *Device) statement(asked string, data, clientData []byte) ([]byte, error) {
	if d.Maker == nil || asked != "direct" {
		return append([]byte("\x64none\x67attStmt"), 0xa0), nil
	}
	hash := sha256.Sum256(clientData)
	digest := sha256.Sum256(append(data[:len(data):len(data)], hash[:]...))
	signature, err := ecdsa.SignASN1(nil, d.Maker.key, digest[:])
	if err != nil {
		return nil, err
	}
	// {"alg": -7, "sig": …, "x5c": […]}
	out := append([]byte("\x66packed\x67attStmt"), 0xa3)
	out = append(append(out, "\x63alg\x26\x63sig"...), 0x58, byte(len(signature)))
	out = append(append(out, signature...), "\x63x5c\x81\x59"...)
	out = binary.BigEndian.AppendUint16(out, uint16(len(d.Maker.batch)))
	return append(out, d.Maker.batch...), nil
}
