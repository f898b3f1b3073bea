//go:build pkcs11

package pkcs11_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	lib "github.com/miekg/pkcs11"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/keys/pkcs11"
)

var plain, bound = []byte("0123456789abcdef0123456789abcdef"), []byte("tenant-key/main/1")

func background() context.Context { return context.Background() }

func wrap(t *testing.T, p keys.Provider) keys.Wrapped {
	t.Helper()
	w, err := p.Wrap(t.Context(), plain, bound)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func opens(t *testing.T, p keys.Provider, w keys.Wrapped) {
	t.Helper()
	if got, err := p.Unwrap(t.Context(), w, bound); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("unwrapped to %d bytes: %v", len(got), err)
	}
}

// SE-02, SE-03: what one KEK wrapped unwraps after a rotation, also where the
// clock of the machine that rotated is behind.
func TestRotation(t *testing.T) {
	at := time.Date(2031, 5, 1, 8, 0, 0, 0, time.UTC)
	p := open(t, pkcs11.Config{Token: "rotation", Create: true, Clock: clock.Fixed(at)})
	old := wrap(t, p)
	before, err := p.Current(t.Context())
	if err != nil || before.ID != old.KEK || !before.Created.Equal(at) {
		t.Fatal(before, err)
	}
	behind := open(t, pkcs11.Config{Token: "rotation", Clock: clock.Fixed(at.AddDate(0, 0, -1))})
	after, err := behind.Rotate(t.Context())
	if err != nil || after.ID == before.ID || !after.Created.After(at) {
		t.Fatal(after, err)
	}
	fresh := wrap(t, p)
	if fresh.KEK != after.ID {
		t.Errorf("wrapped under %s, want %s", fresh.KEK, after.ID)
	}
	for _, p := range []keys.Provider{p, behind, open(t, pkcs11.Config{Token: "rotation"})} {
		opens(t, p, old)
		opens(t, p, fresh)
		if got, err := p.Current(t.Context()); err != nil || got != after || p.Name() != "pkcs11" {
			t.Error(got, err)
		}
	}
}

// SE-02: a wrapped key belongs to its context, its token and its object name;
// a change of nonce, ciphertext or tag is seen.
func TestContext(t *testing.T) {
	p := open(t, pkcs11.Config{Token: "context", Create: true})
	w := wrap(t, p)
	opens(t, p, w)
	if again := wrap(t, p); bytes.Equal(again.Bytes, w.Bytes) || bytes.Contains(w.Bytes, plain) {
		t.Error("a nonce was used twice, or nothing was encrypted")
	}
	for _, other := range [][]byte{nil, []byte("tenant-key/other/1"), append(bytes.Clone(bound), 0)} {
		_, err := p.Unwrap(t.Context(), w, other)
		wantCode(t, err, "key-unwrap")
	}
	for _, i := range []int{0, 12, len(w.Bytes) - 1} {
		changed := bytes.Clone(w.Bytes)
		changed[i] ^= 1
		_, err := p.Unwrap(t.Context(), keys.Wrapped{KEK: w.KEK, Bytes: changed}, bound)
		wantCode(t, err, "key-unwrap")
	}
	_, err := p.Unwrap(t.Context(), keys.Wrapped{KEK: w.KEK, Bytes: w.Bytes[:20]}, bound)
	wantCode(t, err, "key-unwrap")
	_, err = p.Wrap(t.Context(), make([]byte, 65), bound)
	wantCode(t, err, "key-too-long")
	_, err = open(t, pkcs11.Config{Token: "context", Object: "neighbour"}).Unwrap(t.Context(), w, bound)
	wantCode(t, err, "kek-unknown")
	_, err = open(t, pkcs11.Config{Token: "empty"}).Unwrap(t.Context(), w, bound)
	wantCode(t, err, "kek-unknown")
	_, err = open(t, pkcs11.Config{Token: "empty"}).Wrap(t.Context(), plain, bound)
	wantCode(t, err, "pkcs11-no-key")
}

// SE-04: who is logged in to the token reads no key out of it, and a key that
// could be read out is not used.
func TestKeysStayInTheToken(t *testing.T) {
	p := open(t, pkcs11.Config{Token: "planted", Create: true})
	w := wrap(t, p)
	inside(t, "planted", func(c *lib.Ctx, s lib.SessionHandle) {
		if err := c.FindObjectsInit(s, []*lib.Attribute{lib.NewAttribute(lib.CKA_ID, []byte(w.KEK))}); err != nil {
			t.Fatal(err)
		}
		found, _, err := c.FindObjects(s, 2)
		if err = errors.Join(err, c.FindObjectsFinal(s)); err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		_, err = c.GetAttributeValue(s, found[0], []*lib.Attribute{lib.NewAttribute(lib.CKA_VALUE, nil)})
		if !errors.Is(err, lib.Error(lib.CKR_ATTRIBUTE_SENSITIVE)) {
			t.Errorf("the value was asked for: %v", err)
		}
		_, err = c.GenerateKey(s, []*lib.Mechanism{lib.NewMechanism(lib.CKM_AES_KEY_GEN, nil)}, []*lib.Attribute{
			lib.NewAttribute(lib.CKA_TOKEN, true), lib.NewAttribute(lib.CKA_VALUE_LEN, 32),
			lib.NewAttribute(lib.CKA_SENSITIVE, false), lib.NewAttribute(lib.CKA_EXTRACTABLE, true),
			lib.NewAttribute(lib.CKA_LABEL, "mandate pkcs11-00 2099-01-01T00:00:00Z"),
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	_, err := p.Wrap(t.Context(), plain, bound)
	wantCode(t, err, "pkcs11-key-extractable")
}

// SE-04: a wrong PIN is tried once, because it would lock the token, and no error
// tells it; the right one in the same file is then taken without a restart.
func TestPINs(t *testing.T) {
	_, err := pkcs11.Open(pkcs11.Config{Module: module, Token: "pins"})
	wantCode(t, err, "pkcs11-pin-missing")
	_, err = pkcs11.Open(pkcs11.Config{Module: "/nowhere/hsm.so", Token: "pins", PIN: pin})
	wantCode(t, err, "pkcs11-module")

	file := filepath.Join(t.TempDir(), "pin")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := open(t, pkcs11.Config{Token: "pins", PINFile: file, Create: true})
	_, err = p.Current(t.Context())
	wantCode(t, err, "pkcs11-pin-file")
	write("161803\n")
	var causes []bool
	for range 2 {
		_, err = p.Current(t.Context())
		wantCode(t, err, "pkcs11-pin-refused")
		if !errs.Is(err, errs.Unavailable) || strings.Contains(err.Error(), "161803") {
			t.Error(err)
		}
		causes = append(causes, errors.Unwrap(err) != nil)
	}
	if !causes[0] || causes[1] {
		t.Errorf("whether the token was asked: %v", causes)
	}
	write(pin + "\n")
	opens(t, p, wrap(t, p))
	if err := os.Chmod(file, 0o604); err != nil {
		t.Fatal(err)
	}
	_, err = open(t, pkcs11.Config{Token: "pins", PINFile: file}).Current(t.Context())
	wantCode(t, err, "pkcs11-pin-open")
	fromVariable := open(t, pkcs11.Config{Token: "pins", PIN: pin})
	opens(t, fromVariable, wrap(t, fromVariable))
}

// A token that is away is Unavailable, and so is one that cannot be told from
// another.
func TestTokenMissing(t *testing.T) {
	for label, code := range map[string]string{"nowhere": "pkcs11-token-missing", "twins": "pkcs11-token-ambiguous"} {
		_, err := open(t, pkcs11.Config{Token: label, Create: true}).Current(t.Context())
		wantCode(t, err, code)
		if !errs.Is(err, errs.Unavailable) {
			t.Error(err)
		}
	}
	_, err := open(t, pkcs11.Config{Slot: 4_000_000_000}).Current(t.Context())
	wantCode(t, err, "pkcs11-token-missing")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = open(t, pkcs11.Config{Token: "nowhere"}).Current(ctx)
	if !errs.Is(err, errs.Unavailable) {
		t.Error(err)
	}
}

// Two processes wrap and rotate on one token at once, each with several calls
// in flight; each opens what the other wrapped.
func TestTwoProcesses(t *testing.T) {
	other := exec.CommandContext(t.Context(), os.Args[0])
	other.Env = append(os.Environ(), childToken+"=two processes")
	other.Stderr = os.Stderr
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, pkcs11.Config{Token: "two processes", Create: true})
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	const callers = 6
	for n := range callers {
		go func() {
			for i := range childTurns {
				w, err := p.Wrap(t.Context(), plain, bound)
				if err == nil && n == 0 && i%5 == 0 {
					_, err = p.Rotate(t.Context())
				}
				if err == nil {
					_, err = p.Unwrap(t.Context(), w, bound)
				}
				if err != nil {
					ended <- err
					return
				}
			}
			ended <- nil
		}()
	}
	for range callers {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	var theirs []keys.Wrapped
	if err := errors.Join(json.NewDecoder(out).Decode(&theirs), other.Wait()); err != nil || len(theirs) != childTurns {
		t.Fatal(len(theirs), err)
	}
	for _, w := range theirs {
		opens(t, p, w)
	}
}
