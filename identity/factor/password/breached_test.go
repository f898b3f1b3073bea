package password_test

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/identity/factor/password"
	"github.com/mandate-health/mandate/internal/errs"
)

// SM-19, NI-05: a password from a breach cannot be chosen, in whichever form its
// accents are typed.
func TestBreachedPasswordsAreRefused(t *testing.T) {
	known := []string{"password1234", "contraseña1", "letmein letmein"}
	var lines []string
	for _, p := range known {
		lines = append(lines, fmt.Sprintf("%X:17", sha1.Sum([]byte(p))))
	}
	slices.Sort(lines)
	var list bytes.Buffer
	n, err := password.ImportBreached(strings.NewReader(strings.Join(append(lines, lines[2], ""), "\r\n")), &list)
	if err != nil || n != 3 {
		t.Fatal(n, err)
	}
	path := filepath.Join(t.TempDir(), "breached")
	if err := os.WriteFile(path, list.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := password.OpenBreached(path)
	if err != nil || b.Len() != 3 || b.Made().IsZero() {
		t.Fatal(b, err)
	}
	h := password.New(password.Config{MemoryKiB: 64, Passes: 1, Slots: 2, Breached: b})
	for _, p := range append(known, "contrasen\u0303a1") {
		if _, err := h.Hash(t.Context(), p); !errs.Is(err, errs.Invalid) || errs.As(err).Code != "password-breached" {
			t.Errorf("%s: %v", p, err)
		}
	}
	for _, p := range []string{"correct horse battery", "Password1234", "a"} {
		if _, err := h.Hash(t.Context(), p); err != nil && errs.As(err).Code == "password-breached" {
			t.Errorf("%s is on no list", p)
		}
	}
}

func TestBadListsAreRefused(t *testing.T) {
	for _, text := range []string{"no hash\n", strings.Repeat("A", 39), strings.Repeat("B", 40) + "\n" + strings.Repeat("A", 40)} {
		if _, err := password.ImportBreached(strings.NewReader(text), &bytes.Buffer{}); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("something else entirely, and long"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + "-missing"} {
		if _, err := password.OpenBreached(p); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", p, err)
		}
	}
}
