package main

import (
	"context"
	"crypto"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
)

// Argon2id parameters of one log-in (OWASP's least, which Mandate uses too).
const (
	argonPasses = 2
	argonKiB    = 19 << 10
	argonBytes  = 32
)

// floorConfig is what the driver tells the floor.
type floorConfig struct {
	// Database is a PostgreSQL URL; File the file to append to when it is "".
	Database string `json:"database,omitempty"`
	File     string `json:"file,omitempty"`
	// JWKS are the keys of the backend client, Secret that of the app.
	JWKS   json.RawMessage `json:"jwks"`
	Secret string          `json:"secret"`
	// Documents are answered as they are, by path.
	Documents map[string]string `json:"documents"`
	// Consent is a consent page of the server with its headers, CSRF and Handle what
	// stands in it for one request.
	Consent    string            `json:"consent"`
	PageHeader map[string]string `json:"page_header"`
	CSRF       string            `json:"csrf"`
	Handle     string            `json:"handle"`
}

// floor is the least server that keeps the standards of a workload. It makes
// no decision, keeps no audit and checks no more than signatures, secrets and
// single use.
type floor struct {
	store    floorStore
	clock    clock.Clock
	ids      ids.Source
	keys     map[string]crypto.PublicKey
	basic    [32]byte
	es       *ecdsa.PrivateKey
	handles  cipher.AEAD
	rs       *rsa.PrivateKey
	password []byte
	salt     []byte
	slots    chan struct{}
	// consent is the consent page, formKey keys its tokens.
	consent    []pagePart
	pageHeader map[string]string
	formKey    []byte
}

// serveFloor is the hidden command: it reads its configuration from a file,
// prints its address and serves until ctx ends.
func serveFloor(ctx context.Context, path string, out io.Writer) error {
	raw, err := os.ReadFile(path) //nolint:gosec // the path comes from the driver itself
	if err != nil {
		return err
	}
	var cfg floorConfig
	if err := json.Unmarshal(raw, &cfg); err != nil {
		return err
	}
	st, err := openFloorStore(ctx, cfg)
	if err != nil {
		return err
	}
	h, err := newFloor(cfg, st, clock.System{})
	if err != nil {
		return errors.Join(err, st.Close())
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, st.Close())
	}
	fmt.Fprintln(out, l.Addr())
	s := &http.Server{Handler: h, ReadHeaderTimeout: startLimit}
	go func() {
		<-ctx.Done()
		_ = s.Close()
	}()
	if err = s.Serve(l); errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, st.Close())
}

func openFloorStore(ctx context.Context, cfg floorConfig) (floorStore, error) {
	if cfg.Database != "" {
		return openPgStore(ctx, cfg.Database)
	}
	return openFileStore(cfg.File)
}

// newFloor gives the handler of the floor.
func newFloor(cfg floorConfig, st floorStore, clk clock.Clock) (http.Handler, error) {
	f := &floor{store: st, clock: clk, keys: map[string]crypto.PublicKey{}, slots: make(chan struct{}, runtime.NumCPU())}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(cfg.JWKS, &set); err != nil {
		return nil, fmt.Errorf("the floor's clients: %w", err)
	}
	for _, k := range set.Keys {
		f.keys[k.KeyID] = k.Key
	}
	var err error
	if f.es, err = ecdsa.GenerateKey(tokenSigns, nil); err != nil {
		return nil, err
	}
	if f.rs, err = rsa.GenerateKey(nil, rsaBits); err != nil {
		return nil, err
	}
	if f.handles, err = newHandles(f.ids.Bytes(32)); err != nil {
		return nil, err
	}
	f.consent, f.pageHeader, f.formKey = pageParts(cfg.Consent, cfg.CSRF, cfg.Handle), cfg.PageHeader, f.ids.Bytes(32)
	f.basic = sha256.Sum256([]byte(cfg.Secret))
	f.salt = f.ids.Bytes(16)
	f.password = f.hash(floorPerson().Password)
	mux := http.NewServeMux()
	for path, text := range cfg.Documents {
		body := []byte(text)
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(body)
		})
	}
	mux.HandleFunc("GET "+countsPath, tellCounts)
	mux.HandleFunc("POST /token", f.token)
	mux.HandleFunc("POST /introspect", f.introspect)
	mux.HandleFunc("GET /authorize", f.authorize)
	mux.HandleFunc("GET /flow/{id}", f.page)
	mux.HandleFunc("POST /flow/{id}", f.decide)
	mux.HandleFunc("GET /signin", f.signInPage)
	mux.HandleFunc("POST /signin", f.signIn)
	return mux, nil
}

func (f *floor) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		fail(w, err)
		return
	}
	var body []byte
	var err error
	switch r.PostForm.Get("grant_type") {
	case "client_credentials":
		if !r.PostForm.Has("client_assertion") {
			body, err = f.bySecret(r)
			break
		}
		body, err = f.clientCredentials(r.Context(), r.PostForm)
	case "authorization_code":
		body, err = f.redeem(r)
	case "refresh_token":
		body, err = f.refresh(r)
	default:
		err = errors.New("unknown grant_type")
	}
	if err != nil {
		fail(w, err)
		return
	}
	answerJSON(w, body)
}

func (f *floor) clientCredentials(ctx context.Context, form url.Values) ([]byte, error) {
	assertion := form.Get("client_assertion")
	var claims struct {
		Issuer string `json:"iss"`
		ID     string `json:"jti"`
		Until  int64  `json:"exp"`
	}
	if err := verify(assertion, f.keys[kid(assertion)], &claims); err != nil {
		return nil, err
	}
	if now := f.clock.Now().Unix(); claims.Issuer != backendID || claims.Until < now {
		return nil, errBadJWS
	}
	id, guard := f.ids.Bytes(16), sha256.Sum256([]byte(claims.ID))
	if err := f.store.Issue(ctx, guard[:], id); err != nil {
		return nil, err
	}
	return f.issue(id, backendID, form.Get("scope"), "", "")
}

// bySecret is client_credentials with a secret.
func (f *floor) bySecret(r *http.Request) ([]byte, error) {
	if !f.authenticated(r) {
		return nil, errors.New("unknown client")
	}
	id := f.ids.Bytes(16)
	if err := f.store.Seed(r.Context(), id); err != nil {
		return nil, err
	}
	return f.issue(id, secretID, r.PostForm.Get("scope"), "", "")
}

func (f *floor) redeem(r *http.Request) ([]byte, error) {
	if !f.authenticated(r) {
		return nil, errors.New("unknown client")
	}
	secret := f.ids.Secret()
	code, next := sha256.Sum256([]byte(r.PostForm.Get("code"))), sha256.Sum256([]byte(secret))
	params, err := f.store.Redeem(r.Context(), code[:], next[:])
	if err != nil {
		return nil, err
	}
	asked, err := url.ParseQuery(params)
	if err != nil || !proven(r.PostForm, asked) {
		return nil, errors.Join(err, errRequest)
	}
	now := f.clock.Now().Unix()
	client, _, _ := r.BasicAuth()
	claims := fmt.Appendf(nil, `{"iss":"http://floor","sub":"person","aud":%q,"iat":%d,"exp":%d,"nonce":%q,"fhirUser":"http://floor/Patient/1"}`,
		client, now, now+3600, asked.Get("nonce"))
	var idToken string
	if client == es256ID {
		idToken, err = signES256(f.es, claims)
	} else {
		idToken, err = signRS256(f.rs, claims)
	}
	if err != nil {
		return nil, err
	}
	return f.issue(next[:], client, appScope, idToken, secret)
}

func (f *floor) refresh(r *http.Request) ([]byte, error) {
	if !f.authenticated(r) {
		return nil, errors.New("unknown client")
	}
	secret := f.ids.Secret()
	old, next := sha256.Sum256([]byte(r.PostForm.Get("refresh_token"))), sha256.Sum256([]byte(secret))
	if err := f.store.Rotate(r.Context(), old[:], next[:]); err != nil {
		return nil, err
	}
	return f.issue(next[:], appID, offlineScope, "", secret)
}

// issue makes an access token and gives the answer of the token endpoint.
func (f *floor) issue(id []byte, client, scope, idToken, refresh string) ([]byte, error) {
	now := f.clock.Now().Unix()
	claims := fmt.Appendf(nil, `{"iss":"http://floor","aud":"http://floor/fhir","sub":%q,"client_id":%q,"iat":%d,"exp":%d,"jti":"%x","scope":%q}`,
		client, client, now, now+3600, id, scope)
	access, err := f.seal(client, claims)
	if err != nil {
		return nil, err
	}
	body := fmt.Appendf(nil, `{"access_token":%q,"token_type":"Bearer","expires_in":3600,"scope":%q`, access, scope)
	if idToken != "" {
		body = fmt.Appendf(body, `,"id_token":%q`, idToken)
	}
	if refresh != "" {
		body = fmt.Appendf(body, `,"refresh_token":%q`, refresh)
	}
	return append(body, '}'), nil
}

// authenticated compares the hash of a secret made by a machine.
func (f *floor) authenticated(r *http.Request) bool {
	id, secret, ok := r.BasicAuth()
	sum := sha256.Sum256([]byte(secret))
	return ok && known(id) && subtle.ConstantTimeCompare(sum[:], f.basic[:]) == 1
}

func known(client string) bool {
	return client == appID || client == secretID || client == es256ID || client == opaqueID
}

func answerJSON(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body) //nolint:gosec // JSON, to the driver alone
}

func fail(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, `{"error":"invalid_request","error_description":%q}`, strings.ToValidUTF8(err.Error(), "")) //nolint:gosec // JSON, to the driver alone
}
