//go:build pkcs11

package pkcs11_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	lib "github.com/miekg/pkcs11"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/keys/pkcs11"
	"github.com/mandate-health/mandate/internal/testrun"
)

func module11(t *testing.T, cfg pkcs11.Config) keys.Module {
	t.Helper()
	m, ok := open(t, cfg).(keys.Module)
	if !ok {
		t.Fatal("it holds no signing keys")
	}
	return m
}

// SE-04: RS256 and ES256 keys are made on the token, sign there, also for another
// process that opens it, and cannot be read out; one that was removed signs
// nothing, and removing it again is no error.
func TestSigningKeysStayInTheToken(t *testing.T) {
	ctx := t.Context()
	m := module11(t, pkcs11.Config{Token: "signing rules"})
	sum := sha256.Sum256(plain)
	for _, alg := range []string{"RS256", "ES256"} {
		id, public, err := m.MakeSigner(ctx, alg)
		if err != nil {
			t.Fatal(alg, err)
		}
		for _, m := range []keys.Module{m, module11(t, pkcs11.Config{Token: "signing rules"})} {
			signed, err := m.Signer(id, public).Sign(nil, sum[:], crypto.SHA256)
			if err != nil || !verifies(public, sum[:], signed) {
				t.Errorf("%s: %v", alg, err)
			}
		}
		inside(t, "signing rules", func(c *lib.Ctx, s lib.SessionHandle) {
			if err := c.FindObjectsInit(s, []*lib.Attribute{lib.NewAttribute(lib.CKA_CLASS, lib.CKO_PRIVATE_KEY), lib.NewAttribute(lib.CKA_ID, []byte(id))}); err != nil {
				t.Fatal(err)
			}
			found, _, err := c.FindObjects(s, 2)
			if err = errors.Join(err, c.FindObjectsFinal(s)); err != nil || len(found) != 1 {
				t.Fatal(found, err)
			}
			secret := map[string]uint{"RS256": lib.CKA_PRIVATE_EXPONENT, "ES256": lib.CKA_VALUE}[alg]
			if _, err := c.GetAttributeValue(s, found[0], []*lib.Attribute{lib.NewAttribute(secret, nil)}); !errors.Is(err, lib.Error(lib.CKR_ATTRIBUTE_SENSITIVE)) {
				t.Errorf("%s: the private key was asked for: %v", alg, err)
			}
		})
		if err := errors.Join(m.RemoveSigner(ctx, id), m.RemoveSigner(ctx, id)); err != nil {
			t.Error(alg, err)
		}
		_, err = module11(t, pkcs11.Config{Token: "signing rules"}).Signer(id, public).Sign(nil, sum[:], crypto.SHA256)
		wantCode(t, err, "pkcs11-signing-key-missing")
		if !errs.Is(err, errs.Unavailable) {
			t.Error(err)
		}
	}
}

func verifies(public crypto.PublicKey, sum, signed []byte) bool {
	if key, ok := public.(*rsa.PublicKey); ok {
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum, signed) == nil
	}
	return ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), sum, signed)
}

// SE-03, SE-04, SMART OID-02, OID-13: a server whose keys are in the store goes on
// with keys in the token: announced, signing, the older ones retired; id_tokens
// and access tokens of either verify, and keys list tells where each one lives.
//
// long: one story of one server.
func TestMandateSignsInTheToken(t *testing.T) {
	binary, err := testrun.Build(t.Context(), t.TempDir(), "pkcs11")
	if err != nil {
		t.Fatal(err)
	}
	place := "pkcs11:token=signing?module-path=" + module + "&pin-source=" + filepath.Join(folder, "pin")
	n := &testrun.Node{Binary: binary, Dir: t.TempDir()}
	mandate := func(want int, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), binary, args...)
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != want || bytes.Contains(out, []byte(pin)) {
			t.Errorf("%v: status %d, %v\n%s", args, code, err, out)
		}
		return string(out)
	}
	where := func() map[string]string {
		var items []keys.Item
		cmd := exec.CommandContext(t.Context(), binary, "keys", "list", "--json", "--data", n.Data(), "--keys", place)
		out, err := cmd.Output()
		if err = errors.Join(err, json.Unmarshal(out, &items)); err != nil {
			t.Fatal(err, string(out))
		}
		got := map[string]string{}
		for _, i := range items {
			got[i.Kind] += i.Where + " " + i.State + "; "
		}
		return got
	}
	serve := func(check bool, args ...string) {
		t.Helper()
		n.Args = append([]string{"--keys", place}, args...)
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Kill() })
		if check {
			mandate(0, "selftest", "--quiet", "--ready-file", n.Ready(), "--only", "SMART OID-02,SMART OID-03,SMART REF-01")
		}
	}
	serve(false)
	if got := where(); got["id-token"] != "store active; " || got["kek"] != "pkcs11 active; " {
		t.Errorf("before: %v", got)
	}
	stop := func() {
		t.Helper()
		if err := n.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	serve(true, "--signing-keys", "hsm")
	for _, use := range []string{"id-token", "id-token-es256", "access-token"} {
		mandate(0, "keys", "rotate", use, "--data", n.Data())
		if got := where()[use]; got != "store active; pkcs11 announced; " {
			t.Errorf("%s: %s", use, got)
		}
	}
	first := listed(t, binary, n.Data(), place)
	for _, kid := range first {
		// The key in use is removed: the one in the token takes over at once.
		mandate(0, "keys", "retire", "--data", n.Data(), "--", kid)
	}
	mandate(0, "selftest", "--quiet", "--ready-file", n.Ready(), "--only", "SMART OID-02,SMART OID-03,SMART REF-01")
	stop()
	if left := listed(t, binary, n.Data(), place); len(left) != 0 {
		t.Errorf("still in the store: %v", left)
	}
	// Who forgets the setting still signs with what is in the token.
	serve(true)
	stop()
	if out := mandate(1, "keys", "list", "--data", n.Data(), "--keys", "file:"+filepath.Join(t.TempDir(), "kek.json"), "--signing-keys", "hsm"); !strings.Contains(out, "pkcs11") {
		t.Error(out)
	}
}

// listed gives the ids of the signing keys that live in the store.
func listed(t *testing.T, binary, data, place string) (kids []string) {
	t.Helper()
	var items []keys.Item
	out, err := exec.CommandContext(t.Context(), binary, "keys", "list", "--json", "--data", data, "--keys", place).Output()
	if err = errors.Join(err, json.Unmarshal(out, &items)); err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		if strings.HasPrefix(i.Kind, "id-token") || i.Kind == "access-token" {
			if i.Where == keys.WhereStore {
				kids = append(kids, i.ID)
			}
		}
	}
	return kids
}

// BenchmarkSign tells what a signature by the token costs (docs/operations/keys.md).
func BenchmarkSign(b *testing.B) {
	p, err := pkcs11.Open(pkcs11.Config{Module: module, Token: "signing rules", Object: "mandate", PIN: pin})
	if err != nil {
		b.Fatal(err)
	}
	m := p.(keys.Module)
	sum := sha256.Sum256(plain)
	for _, alg := range []string{"RS256", "ES256"} {
		id, public, err := m.MakeSigner(b.Context(), alg)
		if err != nil {
			b.Fatal(err)
		}
		signer := m.Signer(id, public)
		b.Run(alg, func(b *testing.B) {
			for b.Loop() {
				if _, err := signer.Sign(nil, sum[:], crypto.SHA256); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
