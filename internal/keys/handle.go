package keys

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
)

// HandlePrefix begins every handle: it is told from a signed token before
// anything is opened, and by programs that look for secrets that leaked.
const HandlePrefix = "mandate_at_"

const (
	// algHandle is the algorithm of UseAccessHandle, by its JWA name.
	algHandle = "A256GCM"
	// A handle is the id of its key, the salt of its own key, and what
	// cipher.NewGCMWithRandomNonce makes of the claims; in base64url.
	handleKIDSize  = 8
	handleSaltSize = 16
	handleHead     = handleKIDSize + handleSaltSize
)

// handleText decodes what it would encode itself, so that each handle has one
// text.
var handleText = base64.RawURLEncoding.Strict()

// IsHandle reports whether a token claims to be a handle; nothing is verified.
func IsHandle(token string) bool { return strings.HasPrefix(token, HandlePrefix) }

// SealHandle gives the claims as a handle: encrypted and authenticated under
// the tenant's newest key of UseAccessHandle, and bound to a text that is not
// in it. Nothing of the claims but their length can be read from it. Errors:
// errs.Unavailable, errs.Internal.
func (r *Ring) SealHandle(ctx context.Context, tenant, bound string, claims any) (string, error) {
	plain, err := json.Marshal(claims)
	if err != nil {
		return "", errs.Wrap(err, errs.Internal, "signing", "The claims could not be written.")
	}
	k, err := r.handleKey(ctx, tenant)
	if err != nil {
		return "", err
	}
	head := make([]byte, handleHead, handleHead+len(plain)+32)
	if _, err := handleText.Decode(head, []byte(k.stored.KID)); err != nil {
		return "", errs.Wrap(err, errs.Internal, "signing-key-unreadable", "The id of a stored key cannot be read.")
	}
	copy(head[handleKIDSize:], Random(handleSaltSize))
	aead, err := k.handleAEAD(head[handleKIDSize:])
	if err != nil {
		return "", err
	}
	return HandlePrefix + handleText.EncodeToString(aead.Seal(head, nil, plain, []byte(bound))), nil //nolint:gosec // the AEAD makes its nonces
}

// OpenHandle gives the claims of a handle that the tenant's keys sealed, active
// or retired, bound to the same text. Errors: errs.Unauthenticated with code
// token-invalid; errs.Unavailable.
func (r *Ring) OpenHandle(ctx context.Context, tenant, bound, token string) ([]byte, error) {
	t, err := r.open(ctx, tenant)
	if err != nil {
		return nil, err
	}
	kid, salt, sealed, err := parseHandle(token)
	if err != nil {
		return nil, err
	}
	k, err := r.find(ctx, tenant, t, UseAccessHandle, kid)
	if err != nil {
		return nil, err
	}
	aead, err := k.handleAEAD(salt)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, sealed, []byte(bound))
	if err != nil {
		return nil, errToken("it was changed, or is for another server")
	}
	return plain, nil
}

// PrepareHandles makes the tenant's first key for handles when there is none.
// It is called when a client is registered that gets them, so that every node
// knows the key before the first handle. Errors: errs.Unavailable,
// errs.Internal.
func (r *Ring) PrepareHandles(ctx context.Context, tenant string) error {
	_, err := r.handleKey(ctx, tenant)
	return err
}

// handleKey gives the key that seals, and makes the first one.
func (r *Ring) handleKey(ctx context.Context, tenant string) (*ringKey, error) {
	t, err := r.open(ctx, tenant)
	if err != nil {
		return nil, err
	}
	if k := t.newest(UseAccessHandle, r.clock.Now()); k != nil {
		return k, nil
	}
	t.load.Lock()
	defer t.load.Unlock()
	if t.newest(UseAccessHandle, r.clock.Now()) == nil {
		if err := r.add(ctx, tenant, t, UseAccessHandle); err != nil {
			return nil, err
		}
	}
	if k := t.newest(UseAccessHandle, r.clock.Now()); k != nil {
		return k, nil
	}
	return nil, errs.New(errs.Unavailable, "signing-key-missing", "There is no signing key.")
}

// parseHandle takes a handle apart; nothing is verified yet.
func parseHandle(token string) (kid string, salt, sealed []byte, err error) {
	text, ours := strings.CutPrefix(token, HandlePrefix)
	// The decoder would skip line ends.
	if !ours || strings.ContainsAny(text, "\r\n") {
		return "", nil, nil, errToken("it is not a token of this server")
	}
	raw, err := handleText.DecodeString(text)
	if err != nil || len(raw) <= handleHead {
		return "", nil, nil, errToken("it is not a token of this server")
	}
	return handleText.EncodeToString(raw[:handleKIDSize]), raw[handleKIDSize:handleHead], raw[handleHead:], nil
}

// handleAEAD gives the cipher of one handle. Each has a key of its own: one key
// with random nonces would be spent after 2^32 handles (SP 800-38D §8.3), which
// a busy server makes before its key is due.
func (k *ringKey) handleAEAD(salt []byte) (cipher.AEAD, error) {
	own, err := hkdf.Expand(sha256.New, k.secret, "mandate access handle "+string(salt), keySize)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "signing-key-unreadable", "The key of a handle could not be derived.")
	}
	block, err := aes.NewCipher(own)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "key-length", "The key of a handle has the wrong length.")
	}
	a, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "key-length", "The key of a handle cannot be used.")
	}
	return a, nil
}
