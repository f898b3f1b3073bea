package kms

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
)

const (
	callTimeout = 10 * time.Second
	maxAnswer   = 1 << 20
)

// VaultConfig says how Vault is reached.
type VaultConfig struct {
	// Address is its URL, such as https://vault.hospital.example:8200; http
	// is taken for this machine only.
	Address string
	// Mount is where the transit engine is mounted, Key the name of its key.
	Mount, Key string
	// TokenFile holds the token; it is read for each call, so that an agent may
	// renew it.
	TokenFile string
	// HTTP makes the calls; nil means a client with time-outs.
	HTTP *http.Client
}

// Vault is a key of a Vault transit engine. It is safe for concurrent use.
type Vault struct{ cfg VaultConfig }

var _ keys.Provider = (*Vault)(nil)

// ParseVault reads ADDRESS/MOUNT/KEY?token_file=PATH. Errors: errs.Invalid
// (vault-place).
func ParseVault(place string) (VaultConfig, error) {
	refuse := func(why string) (VaultConfig, error) {
		return VaultConfig{}, errs.New(errs.Invalid, "vault-place",
			"vault: needs https://HOST:8200/MOUNT/KEY?token_file=PATH; "+why+".")
	}
	u, err := url.Parse(place)
	if err != nil || u.Host == "" {
		return refuse("this is no URL")
	}
	if host := u.Hostname(); u.Scheme != "https" && (u.Scheme != "http" || host != "localhost" && host != "127.0.0.1" && host != "::1") {
		return refuse("only https reaches another machine")
	}
	path := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(path) < 2 || path[0] == "" || path[len(path)-1] == "" {
		return refuse("the path names the mount of the transit engine and a key")
	}
	cfg := VaultConfig{
		Address: u.Scheme + "://" + u.Host, Mount: strings.Join(path[:len(path)-1], "/"), Key: path[len(path)-1],
		TokenFile: u.Query().Get("token_file"),
	}
	if cfg.TokenFile == "" {
		return refuse("token_file is missing")
	}
	return cfg, nil
}

// NewVault gives the provider; nothing is asked yet.
func NewVault(cfg VaultConfig) *Vault {
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: callTimeout}
	}
	return &Vault{cfg: cfg}
}

// Name implements keys.Provider.
func (*Vault) Name() string { return "vault" }

// Wrap implements keys.Provider.
func (v *Vault) Wrap(ctx context.Context, key, bound []byte) (keys.Wrapped, error) {
	var out struct {
		Ciphertext string `json:"ciphertext"`
	}
	err := v.call(ctx, http.MethodPost, "encrypt", map[string][]byte{"plaintext": key, "associated_data": bound}, &out)
	if err != nil {
		return keys.Wrapped{}, err
	}
	id, ok := v.version(out.Ciphertext)
	if !ok {
		return keys.Wrapped{}, errAnswer(nil)
	}
	return keys.Wrapped{KEK: id, Bytes: []byte(out.Ciphertext)}, nil
}

// version gives the id of the key version that a ciphertext names.
func (v *Vault) version(ciphertext string) (string, bool) {
	parts := strings.SplitN(ciphertext, ":", 3)
	if len(parts) != 3 || parts[0] != "vault" {
		return "", false
	}
	return v.id(strings.TrimPrefix(parts[1], "v")), true
}

func (v *Vault) id(version string) string { return "vault-" + v.cfg.Key + "-v" + version }

// Unwrap implements keys.Provider.
func (v *Vault) Unwrap(ctx context.Context, w keys.Wrapped, bound []byte) ([]byte, error) {
	if id, ok := v.version(string(w.Bytes)); !ok || id != w.KEK {
		return nil, errs.New(errs.Conflict, "kek-unknown", "The store was encrypted under the key "+w.KEK+
			", which is not a version of "+v.cfg.Key+" in this Vault. Name the right place with --keys vault:URL.")
	}
	body := struct {
		Ciphertext string `json:"ciphertext"`
		Bound      []byte `json:"associated_data"`
	}{string(w.Bytes), bound}
	var out struct {
		Plaintext []byte `json:"plaintext"`
	}
	err := v.call(ctx, http.MethodPost, "decrypt", body, &out)
	return out.Plaintext, err
}

// Current implements keys.Provider.
func (v *Vault) Current(ctx context.Context) (keys.KEK, error) {
	var out struct {
		Latest int                        `json:"latest_version"`
		Keys   map[string]json.RawMessage `json:"keys"`
	}
	if err := v.call(ctx, http.MethodGet, "keys", nil, &out); err != nil {
		return keys.KEK{}, err
	}
	if out.Latest < 1 {
		return keys.KEK{}, errAnswer(nil)
	}
	version := strconv.Itoa(out.Latest)
	kek := keys.KEK{ID: v.id(version)}
	// Symmetric keys tell the second in which each version was made.
	var made int64
	if json.Unmarshal(out.Keys[version], &made) == nil {
		kek.Created = time.Unix(made, 0).UTC()
	}
	return kek, nil
}

// Rotate implements keys.Provider.
func (v *Vault) Rotate(ctx context.Context) (keys.KEK, error) {
	if err := v.call(ctx, http.MethodPost, "rotate", struct{}{}, nil); err != nil {
		return keys.KEK{}, err
	}
	return v.Current(ctx)
}

// call asks Vault about the key.
func (v *Vault) call(ctx context.Context, method, act string, body, into any) error {
	token, err := os.ReadFile(v.cfg.TokenFile)
	if err != nil {
		return errs.Wrap(err, errs.Unavailable, "vault-token", "The Vault token in "+v.cfg.TokenFile+" cannot be read.")
	}
	path := act + "/" + url.PathEscape(v.cfg.Key)
	if act == "rotate" {
		path = "keys/" + url.PathEscape(v.cfg.Key) + "/rotate"
	}
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return errAnswer(err)
		}
		sent = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, v.cfg.Address+"/v1/"+v.cfg.Mount+"/"+path, sent)
	if err != nil {
		return errs.Wrap(err, errs.Invalid, "vault-place", "The address of Vault has no meaning.")
	}
	req.Header.Set("X-Vault-Token", strings.TrimSpace(string(token)))
	req.Header.Set("X-Vault-Request", "true")
	res, err := v.cfg.HTTP.Do(req)
	if err != nil {
		return errs.Wrap(err, errs.Unavailable, "vault-unreachable", "Vault at "+v.cfg.Address+" does not answer.")
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return errs.Wrap(err, errs.Unavailable, "vault-unreachable", "Vault at "+v.cfg.Address+" does not answer.")
	}
	return judge(res.StatusCode, act, raw, into)
}

// judge reads an answer. Vault refuses a changed ciphertext with 400.
func judge(status int, act string, raw []byte, into any) error {
	switch {
	case status == http.StatusBadRequest && act == "decrypt":
		return errs.New(errs.Internal, "key-unwrap", "A wrapped key was changed or belongs elsewhere.")
	case status == http.StatusForbidden:
		return errs.New(errs.Unavailable, "vault-refused", "Vault refuses the token: its policy must allow "+act+" of the key.")
	case status < 200 || status > 299:
		return errs.New(errs.Unavailable, "vault-refused", fmt.Sprintf("Vault answered %s with status %d.", act, status))
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(raw, &struct {
		Data any `json:"data"`
	}{into}); err != nil {
		return errAnswer(err)
	}
	return nil
}

func errAnswer(cause error) error {
	return errs.Wrap(cause, errs.Unavailable, "vault-answer", "Vault's answer cannot be read.")
}
