package testauthn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/mandate-health/mandate/internal/ids"
)

// The flags of authenticator data (WebAuthn §6.1).
const (
	present, verified, eligible, backedUp, attested = 0x01, 0x04, 0x08, 0x10, 0x40
)

// Device is an authenticator with at most one passkey. Its fields may be changed
// between ceremonies.
type Device struct {
	// Origin is that of the page which asks, Host the RP ID that it signs for.
	Origin, Host string
	// Unverified: the person was not verified. Synced, BackedUp: the passkey is
	// copied to a provider.
	Unverified, Synced, BackedUp bool
	// Counter is the last signature counter; Still keeps it at zero.
	Counter uint32
	Still   bool
	// AAGUID is the model, 16 bytes; nil is the zero model.
	AAGUID []byte
	// Maker vouches for the model where a page asks for it; nil vouches for nothing.
	Maker *Maker
	// ID, Handle and key are of the passkey.
	ID, Handle []byte
	key        *ecdsa.PrivateKey
}

// Clone gives a second device with the same passkey.
func (d *Device) Clone() *Device {
	c := *d
	return &c
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// options are what a page asks with.
type options struct {
	Challenge   string `json:"challenge"`
	Attestation string `json:"attestation"`
	User        struct {
		ID string `json:"id"`
	} `json:"user"`
}

func (d *Device) ask(asked []byte, typ string) (o options, clientData []byte, err error) {
	if err = json.Unmarshal(asked, &o); err != nil {
		return o, nil, fmt.Errorf("options: %w", err)
	}
	clientData, err = json.Marshal(map[string]any{"type": typ, "challenge": o.Challenge, "origin": d.Origin, "crossOrigin": false})
	return o, clientData, err
}

// data is the authenticator data without extensions.
func (d *Device) data(more byte) []byte {
	flags := more | present
	if !d.Unverified {
		flags |= verified
	}
	if d.Synced {
		flags |= eligible
	}
	if d.BackedUp {
		flags |= backedUp
	}
	if !d.Still {
		d.Counter++
	}
	host := sha256.Sum256([]byte(d.Host))
	return binary.BigEndian.AppendUint32(append(host[:], flags), d.Counter)
}

// Create answers the options of an enrolment with a new passkey.
func (d *Device) Create(asked []byte) ([]byte, error) {
	o, clientData, err := d.ask(asked, "webauthn.create")
	if err != nil {
		return nil, err
	}
	if d.Handle, err = base64.RawURLEncoding.DecodeString(o.User.ID); err != nil {
		return nil, fmt.Errorf("user handle: %w", err)
	}
	if d.key, err = ecdsa.GenerateKey(elliptic.P256(), nil); err != nil {
		return nil, err
	}
	d.ID = ids.Source{}.Bytes(32)
	point, err := d.key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	model := make([]byte, 16)
	copy(model, d.AAGUID)
	data := append(d.data(attested), model...)
	data = append(binary.BigEndian.AppendUint16(data, uint16(len(d.ID))), d.ID...)
	// A COSE key: EC2, ES256, P-256, x, y.
	data = append(data, 0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32)
	data = append(append(data, point[1:33]...), 0x22, 0x58, 32)
	data = append(data, point[33:]...)
	statement, err := d.statement(o.Attestation, data, clientData)
	if err != nil {
		return nil, err
	}
	// CBOR: {"fmt": …, "attStmt": …, "authData": …}
	object := append([]byte{0xa3, 0x63}, "fmt"...)
	object = append(append(append(object, statement...), 0x68), "authData"...)
	object = append(binary.BigEndian.AppendUint16(append(object, 0x59), uint16(len(data))), data...)
	return d.answer(clientData, map[string]any{"attestationObject": b64(object), "transports": []string{"internal"}})
}

// Get answers the options of a log-in.
func (d *Device) Get(asked []byte) ([]byte, error) {
	_, clientData, err := d.ask(asked, "webauthn.get")
	if err != nil {
		return nil, err
	}
	data, hash := d.data(0), sha256.Sum256(clientData)
	digest := sha256.Sum256(append(data[:len(data):len(data)], hash[:]...))
	signature, err := ecdsa.SignASN1(nil, d.key, digest[:])
	if err != nil {
		return nil, err
	}
	return d.answer(clientData, map[string]any{
		"authenticatorData": b64(data), "signature": b64(signature), "userHandle": b64(d.Handle),
	})
}

func (d *Device) answer(clientData []byte, response map[string]any) ([]byte, error) {
	response["clientDataJSON"] = b64(clientData)
	return json.Marshal(map[string]any{
		"id": b64(d.ID), "rawId": b64(d.ID), "type": "public-key", "response": response, "clientExtensionResults": map[string]any{},
	})
}
