//go:build pkcs11

package pkcs11

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"time"

	lib "github.com/miekg/pkcs11"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
)

const (
	// maxKey is how long a wrapped key may be (keys.Provider).
	maxKey    = 64
	nonceSize = 12
	tagBits   = 128
)

// Provider keeps the keys of one token. It is safe for concurrent use, also by
// several processes: the keys are looked up on the token each time.
type Provider struct {
	cfg   Config
	token *token
}

var _ keys.Provider = (*Provider)(nil)

// Built tells that this program holds PKCS#11.
func Built() error { return nil }

// Open starts the HSM's library; the token is asked at the first call. Errors:
// errs.Invalid (pkcs11-module, pkcs11-pin-missing); errs.Unavailable.
func Open(cfg Config) (keys.Provider, error) {
	if cfg.Clock == nil {
		cfg.Clock = clock.System{}
	}
	t, err := load(cfg)
	if err != nil {
		return nil, err
	}
	return &Provider{cfg: cfg, token: t}, nil
}

// Name implements keys.Provider.
func (*Provider) Name() string { return "pkcs11" }

// Wrap implements keys.Provider. What was wrapped is unwrapped at once: nothing
// is stored that this token would not open again.
func (p *Provider) Wrap(ctx context.Context, key, bound []byte) (keys.Wrapped, error) {
	if len(key) > maxKey {
		return keys.Wrapped{}, errs.New(errs.Invalid, "key-too-long", "Only keys of at most 64 bytes are wrapped.")
	}
	return use(ctx, p.token, func(s *session) (keys.Wrapped, error) {
		k, err := p.newest(s)
		if err != nil {
			return keys.Wrapped{}, err
		}
		box, err := s.encrypt(k, key, bound)
		if err != nil {
			return keys.Wrapped{}, err
		}
		back, err := s.decrypt(k, box, bound)
		if err != nil || subtle.ConstantTimeCompare(back, key) != 1 {
			return keys.Wrapped{}, errs.Wrap(err, errs.Unavailable, "pkcs11-unfaithful",
				"The token "+p.token.name+" does not open what it encrypted with AES-GCM, so it cannot be used.")
		}
		return keys.Wrapped{KEK: k.kek.ID, Bytes: box}, nil
	})
}

// Unwrap implements keys.Provider.
func (p *Provider) Unwrap(ctx context.Context, w keys.Wrapped, bound []byte) ([]byte, error) {
	return use(ctx, p.token, func(s *session) ([]byte, error) {
		all, err := s.find(p.cfg.Object)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(all, func(k key) bool { return k.kek.ID == w.KEK })
		if i < 0 {
			return nil, errs.New(errs.Conflict, "kek-unknown", "The store was encrypted under the key "+w.KEK+
				", which is not in the token "+p.token.name+". Name the token that has it with --keys pkcs11:URI.")
		}
		return s.decrypt(all[i], w.Bytes, bound)
	})
}

// Current implements keys.Provider.
func (p *Provider) Current(ctx context.Context) (keys.KEK, error) {
	return use(ctx, p.token, func(s *session) (keys.KEK, error) {
		k, err := p.newest(s)
		return k.kek, err
	})
}

// Rotate implements keys.Provider.
func (p *Provider) Rotate(ctx context.Context) (keys.KEK, error) {
	return use(ctx, p.token, func(s *session) (keys.KEK, error) {
		all, err := s.find(p.cfg.Object)
		if err != nil {
			return keys.KEK{}, err
		}
		k, err := p.generate(s, all)
		return k.kek, err
	})
}

// newest gives the key that wraps, making the first. Two processes that make it
// at once make two, either of which unwraps ever after.
func (p *Provider) newest(s *session) (key, error) {
	all, err := s.find(p.cfg.Object)
	switch {
	case err != nil:
		return key{}, err
	case len(all) > 0:
		return all[len(all)-1], nil
	case p.cfg.Create:
		return p.generate(s, nil)
	}
	return key{}, errs.New(errs.NotFound, "pkcs11-no-key", "The token "+p.token.name+" holds no key of Mandate (object="+p.cfg.Object+").")
}

// generate makes a key on the token. It counts as newer than all others, also
// when another machine's clock is ahead.
func (p *Provider) generate(s *session, all []key) (key, error) {
	made := p.cfg.Clock.Now().UTC().Truncate(time.Millisecond)
	if n := len(all); n > 0 && !made.After(all[n-1].kek.Created) {
		made = all[n-1].kek.Created.Add(time.Millisecond)
	}
	id := make([]byte, 8)
	_, _ = rand.Read(id) // documented never to fail
	return s.generate(p.cfg.Object, keys.KEK{ID: "pkcs11-" + hex.EncodeToString(id), Created: made})
}

// encrypt gives nonce and ciphertext. Keys are wrapped seldom enough for random
// nonces; a token that takes only its own writes that into the parameters.
func (s *session) encrypt(k key, plain, bound []byte) ([]byte, error) {
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce)
	params := lib.NewGCMParams(nonce, bound, tagBits)
	defer params.Free()
	err := s.lib.EncryptInit(s.handle, []*lib.Mechanism{lib.NewMechanism(lib.CKM_AES_GCM, params)}, k.handle)
	if err != nil {
		return nil, s.failed(err, "encrypt with AES-GCM")
	}
	box, err := s.lib.Encrypt(s.handle, plain)
	if err != nil {
		return nil, s.failed(err, "encrypt with AES-GCM")
	}
	if used := params.IV(); len(used) == nonceSize {
		nonce = used
	}
	return append(nonce, box...), nil
}

func (s *session) decrypt(k key, box, bound []byte) ([]byte, error) {
	if len(box) < nonceSize+tagBits/8 {
		return nil, errs.New(errs.Internal, "key-unwrap", "A wrapped key is too short.")
	}
	params := lib.NewGCMParams(box[:nonceSize], bound, tagBits)
	defer params.Free()
	err := s.lib.DecryptInit(s.handle, []*lib.Mechanism{lib.NewMechanism(lib.CKM_AES_GCM, params)}, k.handle)
	if err != nil {
		return nil, s.failed(err, "decrypt with AES-GCM")
	}
	plain, err := s.lib.Decrypt(s.handle, box[nonceSize:])
	if lost(err) {
		return nil, s.failed(err, "decrypt with AES-GCM")
	}
	if err != nil {
		// Tokens differ in how they say that the tag does not match.
		return nil, errs.Wrap(err, errs.Internal, "key-unwrap", "A wrapped key was changed or belongs elsewhere.")
	}
	return plain, nil
}
