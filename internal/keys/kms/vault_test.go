package kms_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/keys/kms"
)

// fakeVault speaks the transit engine's protocol for one key: what it encrypts
// is readable, and bound to the associated data.
type fakeVault struct {
	token  string
	latest int
}

func (f *fakeVault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Vault-Token") != f.token {
		http.Error(w, `{"errors":["permission denied"]}`, http.StatusForbidden)
		return
	}
	var in struct {
		Plaintext, Ciphertext string
		Bound                 string `json:"associated_data"`
	}
	if r.Method == http.MethodPost && json.NewDecoder(r.Body).Decode(&in) != nil {
		http.Error(w, `{"errors":["no body"]}`, http.StatusBadRequest)
		return
	}
	answer := func(data any) { _ = json.NewEncoder(w).Encode(map[string]any{"data": data}) }
	switch r.Method + " " + r.URL.Path {
	case "POST /v1/hospital/transit/encrypt/mandate":
		text := base64.StdEncoding.EncodeToString([]byte(in.Bound + "|" + in.Plaintext))
		answer(map[string]any{"ciphertext": fmt.Sprintf("vault:v%d:%s", f.latest, text), "key_version": f.latest})
	case "POST /v1/hospital/transit/decrypt/mandate":
		text, err := base64.StdEncoding.DecodeString(in.Ciphertext[strings.LastIndex(in.Ciphertext, ":")+1:])
		bound, plain, _ := strings.Cut(string(text), "|")
		if err != nil || bound != in.Bound {
			http.Error(w, `{"errors":["cipher: message authentication failed"]}`, http.StatusBadRequest)
			return
		}
		answer(map[string]any{"plaintext": plain})
	case "GET /v1/hospital/transit/keys/mandate":
		answer(map[string]any{"latest_version": f.latest, "keys": map[string]int64{fmt.Sprint(f.latest): 1763800000}})
	case "POST /v1/hospital/transit/keys/mandate/rotate":
		f.latest++
		w.WriteHeader(http.StatusNoContent)
	default:
		http.Error(w, `{"errors":["no such path"]}`, http.StatusNotFound)
	}
}

func open(t *testing.T, token string) (*fakeVault, *kms.Vault, string) {
	t.Helper()
	f := &fakeVault{token: "s.secret", latest: 1}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := kms.ParseVault(s.URL + "/hospital/transit/mandate?token_file=" + file)
	if err != nil {
		t.Fatal(err)
	}
	return f, kms.NewVault(cfg), file
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

// SE-02, SE-04: a key wrapped by Vault opens in its context, also after Vault
// rotated, and each wrapped key names its version.
func TestVault(t *testing.T) {
	ctx := t.Context()
	_, v, file := open(t, "s.secret")
	plain, bound := bytes.Repeat([]byte{7}, 32), []byte("tenant-key/main/1")
	old, err := v.Wrap(ctx, plain, bound)
	if err != nil {
		t.Fatal(err)
	}
	kek, err := v.Rotate(ctx)
	if err != nil || kek.ID == old.KEK || kek.Created.IsZero() {
		t.Fatal(kek, err)
	}
	fresh, err := v.Wrap(ctx, plain, bound)
	if err != nil || fresh.KEK != kek.ID {
		t.Fatal(fresh, err)
	}
	for _, w := range []keys.Wrapped{old, fresh} {
		if got, err := v.Unwrap(ctx, w, bound); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%x %v", got, err)
		}
	}
	_, err = v.Unwrap(ctx, old, []byte("tenant-key/other/1"))
	wantCode(t, err, "key-unwrap")
	_, err = v.Unwrap(ctx, keys.Wrapped{KEK: "local-1", Bytes: []byte("x")}, bound)
	wantCode(t, err, "kek-unknown")

	// The token is read anew for each call.
	if err := os.WriteFile(file, []byte("s.old"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = v.Wrap(ctx, plain, bound)
	wantCode(t, err, "vault-refused")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	_, err = v.Current(ctx)
	wantCode(t, err, "vault-token")
}

func TestVaultPlaces(t *testing.T) {
	for _, place := range []string{
		"", "vault", "http://vault.example/transit/k?token_file=t", "https://vault.example/k?token_file=t", "https://vault.example/transit/k",
	} {
		_, err := kms.ParseVault(place)
		wantCode(t, err, "vault-place")
	}
	v := kms.NewVault(kms.VaultConfig{Address: "http://127.0.0.1:1", Mount: "transit", Key: "k", TokenFile: "vault_test.go"})
	_, err := v.Current(t.Context())
	wantCode(t, err, "vault-unreachable")
}
