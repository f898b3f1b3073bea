package local_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/keys/local"
)

var plain, bound = []byte("0123456789abcdef0123456789abcdef"), []byte("tenant-key/main/1")

func open(t *testing.T, cfg local.Config) *local.Provider {
	t.Helper()
	p, err := local.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func wrap(t *testing.T, p *local.Provider) keys.Wrapped {
	t.Helper()
	w, err := p.Wrap(context.Background(), plain, bound)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func opens(t *testing.T, p *local.Provider, w keys.Wrapped) {
	t.Helper()
	if got, err := p.Unwrap(context.Background(), w, bound); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("unwrapped to %d bytes: %v", len(got), err)
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

// SE-02, SE-03: what one KEK wrapped unwraps after a rotation, in the process
// that rotated and in one that was running meanwhile; each wrapped key belongs
// to its context.
func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "kek.json")
	_, err := local.Open(local.Config{Path: path})
	wantCode(t, err, "key-file-missing")
	a := open(t, local.Config{Path: path, Create: true})
	b := open(t, local.Config{Path: path, Create: true})
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a key was made before it was needed: %v", err)
	}
	old := wrap(t, a)
	opens(t, b, old)
	before, err := a.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	after, err := a.Rotate(t.Context())
	if err != nil || after.ID == before.ID || after.Created.IsZero() {
		t.Fatal(after, err)
	}
	fresh := wrap(t, a)
	if fresh.KEK != after.ID {
		t.Errorf("wrapped under %s", fresh.KEK)
	}
	for _, p := range []*local.Provider{a, b, open(t, local.Config{Path: path})} {
		opens(t, p, old)
		opens(t, p, fresh)
	}
	_, err = a.Unwrap(t.Context(), old, []byte("tenant-key/other/1"))
	wantCode(t, err, "key-unwrap")
	_, err = a.Unwrap(t.Context(), keys.Wrapped{KEK: "local-00000000", Bytes: old.Bytes}, bound)
	wantCode(t, err, "kek-unknown")
	_, err = a.Wrap(t.Context(), make([]byte, 65), bound)
	wantCode(t, err, "key-too-long")
}

// A key file that others may read is refused, and it is made for its owner.
func TestMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kek.json")
	wrap(t, open(t, local.Config{Path: path, Create: true}))
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode(), err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	_, err = local.Open(local.Config{Path: path})
	wantCode(t, err, "key-file-open")
}

func TestFilesThatAreNone(t *testing.T) {
	for _, text := range []string{"", "{}", `{"format":"mandate-key-file-1"}`, `{"format":"mandate-key-file-1","keys":[{"id":"x","key":"AAAA"}]}`} {
		path := filepath.Join(t.TempDir(), "kek.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := local.Open(local.Config{Path: path, Create: true})
		wantCode(t, err, "key-file-unreadable")
	}
}

// SE-05: after splitting, the file holds no key in the open; any k shares open
// it, fewer do not, and neither do those of an earlier splitting.
func TestSplit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kek.json")
	p := open(t, local.Config{Path: path, Create: true})
	w := wrap(t, p)
	_, err := p.Split(3, 1, kept)
	wantCode(t, err, "split-numbers")
	older, err := p.Split(3, 2, kept)
	if err != nil {
		t.Fatal(err)
	}
	shares, err := p.Split(5, 3, kept)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil || bytes.Contains(raw, []byte(`"keys"`)) || bytes.Contains(raw, []byte("local-")) {
		t.Fatalf("%s %v", raw, err)
	}
	for _, three := range [][]local.Share{{shares[0], shares[1], shares[2]}, {shares[4], shares[1], shares[3]}, shares} {
		sealed := open(t, local.Config{Path: path, Shares: three})
		opens(t, sealed, w)
	}
	_, err = local.Open(local.Config{Path: path, Shares: []local.Share{shares[0], shares[1], shares[1]}})
	wantCode(t, err, "keys-sealed")
	if !strings.Contains(err.Error(), "3 of 5 shares, and 2 different ones") {
		t.Error(err)
	}
	_, err = local.Open(local.Config{Path: path})
	wantCode(t, err, "keys-sealed")
	_, err = local.Open(local.Config{Path: path, Shares: []local.Share{older[0], shares[1], shares[2]}})
	wantCode(t, err, "shares-wrong")

	// A split file is rotated without its shares being made again.
	sealed := open(t, local.Config{Path: path, Shares: shares[2:]})
	if _, err := sealed.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh := wrap(t, sealed)
	opens(t, open(t, local.Config{Path: path, Shares: shares[:3]}), fresh)
}

// A share survives being written down, and a slip of the pen is seen.
func TestShareText(t *testing.T) {
	p := open(t, local.Config{Path: filepath.Join(t.TempDir(), "kek.json"), Create: true})
	wrap(t, p)
	shares, err := p.Split(255, 2, kept)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shares[253:] {
		back, err := local.ParseShare(" " + s.String() + "\n")
		if err != nil || back.String() != s.String() {
			t.Error(back, err)
		}
	}
	text := shares[0].String()
	for _, bad := range []string{"", "mandate-share-1", text[:len(text)-1], strings.Replace(text, ":2:1:", ":2:3:", 1), "x" + text} {
		_, err := local.ParseShare(bad)
		wantCode(t, err, "share-unreadable")
	}
}

// kept stands for a safe place.
func kept([]local.Share) error { return nil }

// A splitting whose shares cannot be kept changes nothing: the file opens
// without any.
func TestSharesThatAreNotKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "kek.json")
	p := open(t, local.Config{Path: path, Create: true})
	before := wrap(t, p)
	full := errors.New("disk full")
	if _, err := p.Split(3, 2, func([]local.Share) error { return full }); !errors.Is(err, full) {
		t.Error(err)
	}
	opens(t, open(t, local.Config{Path: path}), before)
	opens(t, open(t, local.Config{Path: path}), wrap(t, p))
}
