package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"

	"github.com/mandate-health/mandate/internal/errs"
)

// keySize is that of AES-256 and HMAC-SHA-256 keys.
const keySize = 32

// Random gives n random bytes.
func Random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // documented never to fail
	return b
}

// Box encrypts a short key under another, bound to a text: AES-256-GCM, the nonce
// in front. Keys are wrapped seldom enough for random nonces. Errors:
// errs.Internal (key-length).
func Box(key, plain, bound []byte) ([]byte, error) {
	a, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return box(a, plain, bound), nil
}

// Unbox gives back what Box encrypted. Errors: errs.Internal (key-length,
// key-unwrap).
func Unbox(key, boxed, bound []byte) ([]byte, error) {
	a, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return unbox(a, boxed, bound)
}

func box(a cipher.AEAD, plain, bound []byte) []byte {
	nonce := Random(a.NonceSize())
	return a.Seal(nonce, nonce, plain, bound)
}

func unbox(a cipher.AEAD, boxed, bound []byte) ([]byte, error) {
	n := a.NonceSize()
	if len(boxed) < n {
		return nil, errs.New(errs.Internal, "key-unwrap", "A wrapped key is too short.")
	}
	plain, err := a.Open(nil, boxed[:n], boxed[n:], bound)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "key-unwrap", "A wrapped key was changed or belongs elsewhere.")
	}
	return plain, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "key-length", "A stored key has the wrong length.")
	}
	a, err := cipher.NewGCM(block)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "key-length", "A stored key cannot be used.")
	}
	return a, nil
}
