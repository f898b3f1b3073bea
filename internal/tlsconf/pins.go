package tlsconf

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
)

const pinPrefix = "sha256/"

// PinOf gives the pin of a certificate's key: "sha256/" and the base64 of the
// SHA-256 of its SubjectPublicKeyInfo (RFC 7469 §2.4). A renewed certificate
// over the same key has the same pin.
func PinOf(c *x509.Certificate) string { return pinOf(c.RawSubjectPublicKeyInfo) }

func pinOf(spki []byte) string {
	sum := sha256.Sum256(spki)
	return pinPrefix + base64.StdEncoding.EncodeToString(sum[:])
}

// ValidPin reports whether the text is a pin.
func ValidPin(pin string) bool {
	text, ok := strings.CutPrefix(pin, pinPrefix)
	raw, err := base64.StdEncoding.DecodeString(text)
	return ok && err == nil && len(raw) == sha256.Size
}

// PinSet is what an app needs to pin the keys of this server (SE-11). Clients
// accept a connection when a key of its chain is in the set.
type PinSet struct {
	Issuer string `json:"issuer"`
	// Pins has the key in use first, then those that lie ready.
	Pins []Pin `json:"pins"`
	// NextRotation is the day on which the first backup key takes over.
	NextRotation string `json:"next_rotation,omitempty"`
	// MaxAge is for how many seconds the set may be kept.
	MaxAge int `json:"max_age"`
	// ReportURI takes reports of connections whose key was in no set.
	ReportURI string `json:"report_uri"`
}

// Pin is one key.
type Pin struct {
	Pin string `json:"pin"`
	// Role is "current" or "backup".
	Role string `json:"role"`
}

// Pins gives the keys of the set, none for no Server.
func (s *Server) Pins() []Pin {
	if s == nil {
		return nil
	}
	out := []Pin{{Pin: PinOf(s.Leaf()), Role: "current"}}
	for _, pin := range s.d.Config.BackupPins {
		if pin != out[0].Pin {
			out = append(out, Pin{Pin: pin, Role: "backup"})
		}
	}
	return out
}

// Pinned gives the check of a client that knows the pins: it is put into
// tls.Config.VerifyConnection, and runs after the ordinary verification. Errors:
// errs.Forbidden with code key-not-pinned.
func Pinned(pins []string) func(tls.ConnectionState) error {
	return func(cs tls.ConnectionState) error {
		for _, chain := range cs.VerifiedChains {
			for _, c := range chain {
				if slices.Contains(pins, PinOf(c)) {
					return nil
				}
			}
		}
		return errs.New(errs.Forbidden, "key-not-pinned", "The server's key is not among the pinned ones.")
	}
}

// PinOfFile gives the pin of the first certificate, public key, certificate
// request or private key in a PEM file. Errors: errs.Invalid with code
// pin-file.
func PinOfFile(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", errs.Wrap(err, errs.Invalid, "pin-file", "The file "+path+" cannot be read.")
	}
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if spki := spkiOf(block); spki != nil {
			return pinOf(spki), nil
		}
	}
	return "", errs.New(errs.Invalid, "pin-file", "The file "+path+" holds no certificate, key or certificate request in PEM.")
}

// spkiOf gives the public key of a PEM block, nil when it has none.
func spkiOf(block *pem.Block) []byte {
	if block.Type == "CERTIFICATE" {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			return c.RawSubjectPublicKeyInfo
		}
		return nil
	}
	if block.Type == "CERTIFICATE REQUEST" {
		if c, err := x509.ParseCertificateRequest(block.Bytes); err == nil {
			return c.RawSubjectPublicKeyInfo
		}
		return nil
	}
	if _, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
		return block.Bytes
	}
	return publicOf(block.Bytes)
}

func publicOf(der []byte) []byte {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		if key, err = x509.ParseECPrivateKey(der); err != nil {
			if key, err = x509.ParsePKCS1PrivateKey(der); err != nil {
				return nil
			}
		}
	}
	signer, ok := key.(interface{ Public() crypto.PublicKey })
	if !ok {
		return nil
	}
	spki, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return nil
	}
	return spki
}
