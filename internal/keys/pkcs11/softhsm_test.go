//go:build pkcs11

package pkcs11_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	lib "github.com/miekg/pkcs11"

	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/keys/pkcs11"
)

const (
	pin = "271828"
	// childToken, in the environment, makes this program another process that
	// wraps and rotates under that token, and prints what it wrapped.
	childToken = "MANDATE_TEST_CHILD_TOKEN"
	childTurns = 20
)

// module is SoftHSM, folder where its tokens, the PIN and the program lie.
var module, folder string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// run gives SoftHSM a folder of its own before the library starts, which it does
// once in a process.
func run(m *testing.M) (code int, err error) {
	for _, pattern := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/*/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 && module == "" {
			module = found[0]
		}
	}
	if module == "" {
		return 1, errors.New("SoftHSM is not installed: scripts/test-tools.sh")
	}
	if label := os.Getenv(childToken); label != "" {
		return 0, child(label)
	}
	if folder, err = os.MkdirTemp("", "mandate-pkcs11-"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	conf := filepath.Join(folder, "softhsm2.conf")
	if err := errors.Join(
		os.Mkdir(filepath.Join(folder, "tokens"), 0o700),
		os.WriteFile(conf, []byte("directories.tokendir = "+filepath.Join(folder, "tokens")+"\nlog.level = ERROR\n"), 0o600),
		os.WriteFile(filepath.Join(folder, "pin"), []byte(pin+"\n"), 0o600),
		os.Setenv("SOFTHSM2_CONF", conf),
	); err != nil {
		return 1, err
	}
	for _, label := range []string{"rotation", "context", "pins", "two processes", "planted", "empty", "hospital", "other hospital", "signing", "signing rules", "twins", "twins"} {
		out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "314159", "--pin", pin).CombinedOutput()
		if err != nil {
			return 1, fmt.Errorf("softhsm2-util: %w\n%s", err, out)
		}
	}
	return m.Run(), nil
}

// child is the other process.
func child(label string) error {
	p, err := pkcs11.Open(pkcs11.Config{Module: module, Token: label, Object: "mandate", PIN: pin, Create: true})
	if err != nil {
		return err
	}
	var wrapped []keys.Wrapped
	for i := range childTurns {
		w, err := p.Wrap(background(), plain, bound)
		if err == nil && i%5 == 0 {
			_, err = p.Rotate(background())
		}
		if err != nil {
			return err
		}
		wrapped = append(wrapped, w)
	}
	return json.NewEncoder(os.Stdout).Encode(wrapped)
}

func open(t *testing.T, cfg pkcs11.Config) keys.Provider {
	t.Helper()
	if cfg.Module == "" {
		cfg.Module = module
	}
	if cfg.Object == "" {
		cfg.Object = "mandate"
	}
	if cfg.PIN == "" && cfg.PINFile == "" {
		cfg.PINFile = filepath.Join(folder, "pin")
	}
	p, err := pkcs11.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// inside lets fn use SoftHSM as a neighbour of Mandate on the same token does.
func inside(t *testing.T, label string, fn func(c *lib.Ctx, s lib.SessionHandle)) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c := lib.New(module)
	if err := c.Initialize(); err != nil && !errors.Is(err, lib.Error(lib.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		t.Fatal(err)
	}
	slots, err := c.GetSlotList(true)
	must(err)
	for _, slot := range slots {
		info, err := c.GetTokenInfo(slot)
		must(err)
		if info.Label != label {
			continue
		}
		s, err := c.OpenSession(slot, lib.CKF_SERIAL_SESSION|lib.CKF_RW_SESSION)
		must(err)
		if err := c.Login(s, lib.CKU_USER, pin); !errors.Is(err, lib.Error(lib.CKR_USER_ALREADY_LOGGED_IN)) {
			must(err)
		}
		fn(c, s)
		must(c.CloseSession(s))
		return
	}
	t.Fatalf("no token %s", label)
}
