package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// The named secrets of a tenant's log.
const (
	saltSecret       = "audit-salt"
	checkpointSecret = "audit-checkpoint-key"
)

// Secrets keeps named secrets; keys.Store is one.
type Secrets interface {
	Secret(ctx context.Context, tenant, name string, fresh func() []byte) ([]byte, error)
}

// LogKeys are the secrets of one tenant's log: the key from which the salts of
// leaves are derived and the key that signs checkpoints.
type LogKeys struct {
	tenant string
	salt   []byte
	signer note.Signer
	// VerifierKey is the public key in the form of sumdb/note, such as
	// "mandate-audit/default+1234abcd+…".
	VerifierKey string
}

// OpenLogKeys reads the keys of a tenant's log, making them the first time.
// Errors: errs.Unavailable, errs.Internal.
func OpenLogKeys(ctx context.Context, secrets Secrets, src ids.Source, tenant string) (*LogKeys, error) {
	fresh := func() []byte { return src.Bytes(ed25519.SeedSize) }
	salt, err := secrets.Secret(ctx, tenant, saltSecret, fresh)
	if err != nil {
		return nil, err
	}
	seed, err := secrets.Secret(ctx, tenant, checkpointSecret, fresh)
	if err != nil {
		return nil, err
	}
	k := &LogKeys{tenant: tenant, salt: salt}
	if err := k.derive(seed); err != nil {
		return nil, errs.Wrap(err, errs.Internal, "audit-key-broken", "The key that signs the audit log's checkpoints cannot be used.")
	}
	return k, nil
}

// derive makes signer and verifier from the private seed.
func (k *LogKeys) derive(seed []byte) error {
	if len(seed) != ed25519.SeedSize {
		return fmt.Errorf("audit: a checkpoint key of %d bytes", len(seed))
	}
	name := Origin(k.tenant)
	public, ok := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	if !ok {
		return fmt.Errorf("audit: no Ed25519 key")
	}
	vkey, err := note.NewEd25519VerifierKey(name, public)
	if err != nil {
		return err
	}
	// The private form has the same name and key hash (package note).
	hash := strings.Split(strings.TrimPrefix(vkey, name+"+"), "+")[0]
	// 1 is the algorithm Ed25519.
	secret := base64.StdEncoding.EncodeToString(append([]byte{1}, seed...))
	k.VerifierKey = vkey
	k.signer, err = note.NewSigner("PRIVATE+KEY+" + name + "+" + hash + "+" + secret)
	return err
}

// Origin is the first line of a tenant's checkpoints and the name of the key
// that signs them.
func Origin(tenant string) string { return "mandate-audit/" + tenant }

// Salt gives the salt of an event's leaf: derived, so that it costs no byte of
// the event's row and yet cannot be guessed without the tenant's secret.
func (k *LogKeys) Salt(eventID string) []byte {
	m := hmac.New(sha256.New, k.salt)
	m.Write([]byte("leaf\x00" + eventID))
	return m.Sum(nil)[:saltSize]
}

// Commitment gives what is left of the body of an event when it is erased.
// Errors: errs.Internal.
func (k *LogKeys) Commitment(e Event) (Hash, error) {
	body, err := e.body()
	return bodyCommitment(k.Salt(e.ID), body), err
}

// Checkpoint is a signed statement of size and root of a tree.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   Hash
	Time   time.Time
	// Signed is the whole note.
	Signed []byte
}

// sign gives the signed checkpoint of a tree.
func (k *LogKeys) sign(size int64, root Hash, now time.Time) ([]byte, error) {
	text := fmt.Sprintf("%s\n%d\n%s\ntime %s\n", Origin(k.tenant), size, root, now.UTC().Format(time.RFC3339))
	signed, err := note.Sign(&note.Note{Text: text}, k.signer)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "audit-key-broken", "The key that signs the audit log's checkpoints cannot be used.")
	}
	return signed, nil
}

// ReadCheckpoint verifies and reads a signed checkpoint by the verifier key of
// its log. Errors: errs.Invalid with code audit-checkpoint-unsigned when no
// signature of that key is on it, audit-checkpoint-malformed,
// audit-verifier-key.
func ReadCheckpoint(signed []byte, verifierKey string) (Checkpoint, error) {
	v, err := note.NewVerifier(strings.TrimSpace(verifierKey))
	if err != nil {
		return Checkpoint{}, errs.Wrap(err, errs.Invalid, "audit-verifier-key", "The verifier key of the audit log cannot be read.")
	}
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, errs.Wrap(err, errs.Invalid, "audit-checkpoint-unsigned",
			"The checkpoint does not carry a valid signature of this log's key.")
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil || c.Origin != v.Name() {
		return Checkpoint{}, errs.Wrap(err, errs.Invalid, "audit-checkpoint-malformed", "The checkpoint is not one of this audit log.")
	}
	c.Signed = signed
	return c, nil
}

func parseCheckpoint(text string) (c Checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return c, fmt.Errorf("audit: a checkpoint of %d lines", len(lines))
	}
	c.Origin = lines[0]
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 0 {
		return c, fmt.Errorf("audit: a checkpoint of size %q", lines[1])
	}
	if c.Root, err = tlog.ParseHash(lines[2]); err != nil {
		return c, err
	}
	if at, ok := strings.CutPrefix(lines[3], "time "); ok {
		if c.Time, err = time.Parse(time.RFC3339, at); err != nil {
			return c, err
		}
	}
	return c, nil
}
