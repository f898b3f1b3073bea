package local

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
)

const (
	keySize = 32
	// maxKey is how long a wrapped key may be (keys.Provider).
	maxKey = 64
)

// Config says where the file is and how to open it.
type Config struct {
	// Path is the key file. With Create, a missing one is made with its
	// folder when the first key is to be wrapped: a store that has keys
	// already must not be given others by a slip in the path.
	Path   string
	Create bool
	// Shares open a split file: at least its threshold.
	Shares []Share
	Clock  clock.Clock
}

// Provider keeps the keys of one file. It is safe for concurrent use, also by
// several processes: it reads the file again when it meets an unknown key, and
// a rotation takes what another process added meanwhile.
type Provider struct {
	cfg Config

	mu     sync.Mutex
	unseal []byte // nil when the file is not split
	keys   []key  // oldest first; the last one wraps
}

var _ keys.Provider = (*Provider)(nil)

// key is one key-encryption key as the file holds it.
type key struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Key     []byte    `json:"key"`
}

// Open reads the key file. Errors: errs.NotFound (key-file-missing) when there
// is none and Create is not set; errs.Forbidden (key-file-open) when others may
// read it; errs.Unauthenticated (keys-sealed, shares-wrong) for a split file
// without the shares it asks for; errs.Internal (key-file-unreadable).
func Open(cfg Config) (*Provider, error) {
	if cfg.Clock == nil {
		cfg.Clock = clock.System{}
	}
	p := &Provider{cfg: cfg}
	f, err := readFile(cfg.Path)
	if errs.Is(err, errs.NotFound) && cfg.Create {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	if f.Split != nil {
		if p.unseal, err = f.Split.unsealKey(cfg.Path, cfg.Shares); err != nil {
			return nil, err
		}
	}
	p.keys, err = f.open(p.unseal)
	return p, err
}

// create writes the first key, unless another process was faster.
func (p *Provider) create() error {
	return change(p.cfg.Path, func(old *file) (*file, error) {
		if old != nil {
			all, err := old.open(nil)
			p.set(all)
			return nil, err
		}
		all := []key{p.fresh()}
		p.set(all)
		return seal(all, nil, nil)
	})
}

func (p *Provider) set(all []key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = all
}

func (p *Provider) fresh() key {
	k := key{Created: p.cfg.Clock.Now().UTC().Truncate(time.Second), Key: keys.Random(keySize)}
	k.ID = "local-" + hex.EncodeToString(keys.Random(4))
	return k
}

// Name implements keys.Provider.
func (*Provider) Name() string { return "local" }

// Current implements keys.Provider.
func (p *Provider) Current(context.Context) (keys.KEK, error) {
	k, err := p.last()
	return keys.KEK{ID: k.ID, Created: k.Created}, err
}

// last gives the newest key, making the first.
func (p *Provider) last() (key, error) {
	if k, ok := p.newest(); ok {
		return k, nil
	}
	if err := p.create(); err != nil {
		return key{}, err
	}
	k, _ := p.newest()
	return k, nil
}

func (p *Provider) newest() (key, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.keys) == 0 {
		return key{}, false
	}
	return p.keys[len(p.keys)-1], true
}

// Wrap implements keys.Provider.
func (p *Provider) Wrap(_ context.Context, plain, bound []byte) (keys.Wrapped, error) {
	if len(plain) > maxKey {
		return keys.Wrapped{}, errs.New(errs.Internal, "key-too-long", "Only keys of at most 64 bytes are wrapped.")
	}
	k, err := p.last()
	if err != nil {
		return keys.Wrapped{}, err
	}
	box, err := keys.Box(k.Key, plain, bound)
	return keys.Wrapped{KEK: k.ID, Bytes: box}, err
}

// Unwrap implements keys.Provider.
func (p *Provider) Unwrap(_ context.Context, w keys.Wrapped, bound []byte) ([]byte, error) {
	k, ok := p.byID(w.KEK)
	if !ok {
		if err := p.reload(); err != nil && !errs.Is(err, errs.NotFound) {
			return nil, err
		}
		if k, ok = p.byID(w.KEK); !ok {
			return nil, errs.New(errs.Conflict, "kek-unknown", "The store was encrypted under the key "+w.KEK+
				", which is not in the key file "+p.cfg.Path+". Name the file that has it with --keys file:PATH.")
		}
	}
	return keys.Unbox(k.Key, w.Bytes, bound)
}

func (p *Provider) byID(id string) (key, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.keys, func(k key) bool { return k.ID == id })
	if i < 0 {
		return key{}, false
	}
	return p.keys[i], true
}

func (p *Provider) unsealed() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unseal
}

// reload takes what another process wrote.
func (p *Provider) reload() error {
	f, err := readFile(p.cfg.Path)
	if err != nil {
		return err
	}
	all, err := f.open(p.unsealed())
	if err != nil {
		return err
	}
	p.set(all)
	return nil
}

// Rotate implements keys.Provider.
func (p *Provider) Rotate(context.Context) (keys.KEK, error) {
	k := p.fresh()
	var all []key
	err := change(p.cfg.Path, func(old *file) (_ *file, err error) {
		if all, err = p.inside(old); err != nil {
			return nil, err
		}
		all = append(all, k)
		return seal(all, p.unsealed(), old.Split)
	})
	if err != nil {
		// Nothing may be wrapped under a key that no file holds.
		return keys.KEK{}, err
	}
	p.set(all)
	return keys.KEK{ID: k.ID, Created: k.Created}, nil
}

// inside gives the keys of the file as it is now.
func (p *Provider) inside(old *file) ([]key, error) {
	if old == nil {
		return nil, errMissing(p.cfg.Path)
	}
	return old.open(p.unsealed())
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
