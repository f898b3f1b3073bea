package passkey

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"net/url"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

// Limits on what a browser sends.
const (
	// maxAnswer is in bytes; the longest part is a chain of certificates.
	maxAnswer = 32 << 10
	// maxID is the longest credential id (WebAuthn §4), in bytes.
	maxID = 1023
)

// Config says for which server passkeys are.
type Config struct {
	// PublicURL is where browsers reach it, Name what authenticators call it.
	PublicURL, Name string
	// Makers are the authorities of makers who may vouch for a model; nil trusts none.
	Makers *x509.CertPool
	// Clock judges the certificates of makers; nil means the machine's.
	Clock clock.Clock
}

// Keys makes options and verifies answers. It is safe for concurrent use.
type Keys struct {
	lib *webauthn.WebAuthn
	cfg Config
}

// New makes Keys. Errors: errs.Invalid with code passkey-host when browsers offer no
// passkeys at the public URL, which they do only for a host name.
func New(cfg Config) (*Keys, error) {
	u, err := url.Parse(cfg.PublicURL)
	if err != nil || protocol.ValidateRPID(u.Hostname()) != nil {
		return nil, errs.New(errs.Invalid, "passkey-host", "Passkeys need a public URL with a host name; browsers refuse them at an IP address.")
	}
	lib, err := webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: cfg.Name, RPOrigins: []string{u.Scheme + "://" + u.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification: protocol.VerificationRequired,
		},
	})
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "passkey-host", "Passkeys cannot be used with this public URL.")
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System{}
	}
	return &Keys{lib: lib, cfg: cfg}, nil
}

// owner is a person as the library sees one.
type owner struct {
	handle []byte
	name   string
	keys   []webauthn.Credential
}

func (o owner) WebAuthnID() []byte                         { return o.handle }
func (o owner) WebAuthnName() string                       { return o.name }
func (o owner) WebAuthnDisplayName() string                { return o.name }
func (o owner) WebAuthnCredentials() []webauthn.Credential { return o.keys }

func descriptors(keys []identity.Passkey) []protocol.CredentialDescriptor {
	var out []protocol.CredentialDescriptor
	for _, k := range keys {
		d := protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: k.ID}
		for _, t := range k.Transports {
			d.Transport = append(d.Transport, protocol.AuthenticatorTransport(t))
		}
		out = append(out, d)
	}
	return out
}

// Request gives the options of a log-in (WebAuthn §5.5). With keys only these
// may answer, else any that the authenticator can discover.
func (k *Keys) Request(challenge string, keys []identity.Passkey) ([]byte, error) {
	return asJSON(protocol.PublicKeyCredentialRequestOptions{
		Challenge: protocol.URLEncodedBase64(challenge), RelyingPartyID: k.lib.Config.RPID,
		AllowedCredentials: descriptors(keys), UserVerification: protocol.VerificationRequired,
		Timeout: int(identity.ChallengeLife.Milliseconds()),
	})
}

// Creation gives the options of an enrolment (WebAuthn §5.4).
func (k *Keys) Creation(challenge string, who identity.PasskeyOwner) ([]byte, error) {
	options, _, err := k.lib.BeginRegistration(owner{handle: who.Handle, name: who.Name}, webauthn.WithExclusions(descriptors(who.Keys)))
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "passkey-options", "The options of a passkey cannot be made.")
	}
	options.Response.Challenge = protocol.URLEncodedBase64(challenge)
	options.Response.Timeout = int(identity.ChallengeLife.Milliseconds())
	if who.Attest {
		options.Response.Attestation = protocol.PreferDirectAttestation
	}
	return asJSON(options.Response)
}

func asJSON(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "passkey-options", "The options of a passkey cannot be made.")
	}
	return b, nil
}

// Claimed reads which challenge and which key an answer is about; nothing of it
// is verified. Errors: errs.Invalid with code passkey-answer.
func (k *Keys) Claimed(answer []byte) (challenge string, id []byte, err error) {
	var a struct {
		RawID    protocol.URLEncodedBase64 `json:"rawId"`
		Response struct {
			ClientData protocol.URLEncodedBase64 `json:"clientDataJSON"`
		} `json:"response"`
	}
	var c struct {
		Challenge protocol.URLEncodedBase64 `json:"challenge"`
	}
	if len(answer) > maxAnswer || json.Unmarshal(answer, &a) != nil || json.Unmarshal(a.Response.ClientData, &c) != nil ||
		len(a.RawID) == 0 || len(a.RawID) > maxID {
		return "", nil, unreadable()
	}
	return string(c.Challenge), a.RawID, nil
}

func unreadable() error {
	return errs.New(errs.Invalid, "passkey-answer", "The answer of the authenticator cannot be read.")
}

// Register verifies the answer to Creation. Errors: errs.Invalid with code
// passkey-answer; errs.Unauthenticated with code passkey-refused for another
// origin or challenge, a person who was not verified, or a wrong signature.
func (k *Keys) Register(challenge string, handle, answer []byte) (identity.Passkey, error) {
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return identity.Passkey{}, unreadable()
	}
	made, err := k.lib.CreateCredential(owner{handle: handle}, webauthn.SessionData{
		Challenge: protocol.URLEncodedBase64(challenge).String(), UserID: handle,
		UserVerification: protocol.VerificationRequired, CredParams: webauthn.CredentialParametersDefault(),
	}, parsed)
	if err != nil {
		return identity.Passkey{}, refused(err)
	}
	out := identity.Passkey{
		ID: made.ID, PublicKey: made.PublicKey, Handle: handle, AAGUID: made.Authenticator.AAGUID,
		Counter: int64(made.Authenticator.SignCount), Synced: made.Flags.BackupEligible, BackedUp: made.Flags.BackupState,
		Attestation: made.AttestationFormat,
		Vouched:     k.vouched(parsed.Response.AttestationObject, made.Authenticator.AAGUID),
	}
	for _, t := range made.Transport {
		out.Transports = append(out.Transports, string(t))
	}
	slices.Sort(out.Transports)
	return out, nil
}

// Verify verifies the answer to Request against a key that is known, and gives
// the key's new counter and whether it is backed up now. Whether the counter went
// on is the caller's to judge. Errors: as Register.
func (k *Keys) Verify(challenge string, key identity.Passkey, answer []byte) (counter int64, backedUp bool, err error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil || !bytes.Equal(parsed.RawID, key.ID) {
		return 0, false, unreadable()
	}
	who := owner{handle: key.Handle, keys: []webauthn.Credential{{
		ID: key.ID, PublicKey: key.PublicKey, Flags: webauthn.CredentialFlags{BackupEligible: key.Synced},
		AttestationFormat: key.Attestation,
	}}}
	made, err := k.lib.ValidateLogin(who, webauthn.SessionData{
		Challenge: protocol.URLEncodedBase64(challenge).String(), UserID: key.Handle, UserVerification: protocol.VerificationRequired,
	}, parsed)
	if err != nil {
		return 0, false, refused(err)
	}
	return int64(parsed.Response.AuthenticatorData.Counter), made.Flags.BackupState, nil
}

func refused(cause error) error {
	return errs.Wrap(cause, errs.Unauthenticated, "passkey-refused", "The passkey was not accepted.")
}
