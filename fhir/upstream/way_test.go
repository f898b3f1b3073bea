package upstream_test

import (
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys/clientkey"
)

// serve starts a FHIR server that answers by the function.
func serve(t *testing.T, answer http.HandlerFunc, cfg upstream.Config) *upstream.Client {
	t.Helper()
	back := httptest.NewServer(answer)
	t.Cleanup(back.Close)
	cfg.Base = back.URL
	c, err := upstream.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ask(c *upstream.Client, method string) (upstream.Response, error) {
	return c.Do(context.Background(), method, "/Patient/rosa", nil, nil)
}

// A read is asked again after a fault that may pass, a write never, and a fault
// that stays is told.
func TestOnlyReadsAreAskedAgain(t *testing.T) {
	var asked, faults atomic.Int64
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if faults.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}, upstream.Config{})
	for _, try := range []struct {
		method       string
		faults, want int64
		fine         bool
	}{{"GET", 0, 1, true}, {"GET", 1, 2, true}, {"GET", 9, 2, false}, {"PUT", 1, 1, false}, {"POST", 1, 1, false}, {"DELETE", 1, 1, false}} {
		asked.Store(0)
		faults.Store(try.faults)
		if _, err := ask(c, try.method); (err == nil) != try.fine || asked.Load() != try.want {
			t.Errorf("%s with %d faults: asked %d times, %v", try.method, try.faults, asked.Load(), err)
		}
	}
}

// What waits for a slow upstream is bounded.
func TestOnlySoManyAskAtOnce(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) {}, upstream.Config{Requests: 2})
	one, err := c.Admit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Admit(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Admit(context.Background()); !errs.Is(err, errs.Unavailable) {
		t.Error("a third is let through", err)
	}
	one()
	if _, err := c.Admit(context.Background()); err != nil {
		t.Error(err)
	}
}

// An answer that does not go on is given up after the time-out, not before.
func TestAnAnswerThatStops(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"resourceType":"Bundle"`)
		_ = http.NewResponseController(w).Flush()
		<-stop
	}, upstream.Config{Timeout: 50 * time.Millisecond})
	res, err := c.Open(context.Background(), "GET", "/Patient", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); !errs.Is(err, errs.Upstream) {
		t.Error(err)
	}
}

// Compressed answers are unpacked; what unpacks to far more than it is ends.
func TestCompressedAnswers(t *testing.T) {
	text := `{"resourceType":"Patient","id":"rosa"}`
	size := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Error("not asked for", r.Header)
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer func() { _ = z.Close() }()
		_, _ = io.WriteString(z, text)
		for range size {
			_, _ = z.Write(make([]byte, 1<<20))
		}
	}, upstream.Config{})
	if res, err := ask(c, "GET"); err != nil || string(res.Body) != text {
		t.Error(err, string(res.Body))
	}
	size = 40
	if _, err := ask(c, "GET"); !errs.Is(err, errs.Upstream) {
		t.Error("a bomb is unpacked", err)
	}
}

// Each request carries what was given to us for good.
func TestAFixedHeader(t *testing.T) {
	name, value, err := upstream.ParseHeader("X-Api-Key: s3cret\n")
	if err != nil {
		t.Fatal(err)
	}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api-Key") != "s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}, upstream.Config{Transport: upstream.Header{Name: name, Value: value, Next: upstream.Transport(nil)}})
	if res, err := ask(c, "GET"); err != nil || res.Status != http.StatusOK {
		t.Error(res.Status, err)
	}
	for _, bad := range []string{"", "Bearer x", "A: b\nC: d", ": x", "A:"} {
		if _, _, err := upstream.ParseHeader(bad); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q is taken", bad)
		}
	}
}

// authority is the upstream's authorization server: it knows one key.
type authority struct {
	t      *testing.T
	key    any
	url    string
	issued atomic.Int64
	good   atomic.Value
	jtis   map[string]bool
}

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/token" {
		if r.Header.Get("Authorization") != "Bearer "+fmt.Sprint(a.good.Load()) {
			w.WriteHeader(http.StatusUnauthorized)
		}
		return
	}
	if r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "system/*.rs" || !a.proves(r.FormValue("client_assertion")) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	token := fmt.Sprintf("token-%d", a.issued.Add(1))
	a.good.Store(token)
	_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":300}`, token)
}

// proves checks an assertion as the rows of SMART ASY ask.
func (a *authority) proves(text string) bool {
	part := strings.Split(text, ".")
	if len(part) != 3 {
		return false
	}
	head, _ := base64.RawURLEncoding.DecodeString(part[0])
	body, _ := base64.RawURLEncoding.DecodeString(part[1])
	signature, _ := base64.RawURLEncoding.DecodeString(part[2])
	var h struct{ Alg, Kid string }
	var c struct {
		Iss, Sub, Aud, Jti string
		Exp, Iat           int64
	}
	if json.Unmarshal(head, &h) != nil || json.Unmarshal(body, &c) != nil || h.Kid != "k1" {
		return false
	}
	if c.Iss != "mandate" || c.Sub != "mandate" || c.Aud != a.url+"/token" || c.Jti == "" || a.jtis[c.Jti] || c.Exp-c.Iat > 300 {
		return false
	}
	a.jtis[c.Jti] = true
	sum := sha512.Sum384([]byte(part[0] + "." + part[1]))
	switch k := a.key.(type) {
	case *ecdsa.PublicKey:
		return h.Alg == "ES384" && len(signature) == 96 && ecdsa.Verify(k, sum[:], new(big.Int).SetBytes(signature[:48]), new(big.Int).SetBytes(signature[48:]))
	case *rsa.PublicKey:
		return h.Alg == "RS384" && rsa.VerifyPKCS1v15(k, 6, sum[:], signature) == nil
	}
	return false
}

// We prove ourselves as a backend service: one token serves until shortly before
// its end, and one that is not taken any more is replaced.
func TestWeAreABackendService(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]struct{ private, public any }{"ES384": {ec, &ec.PublicKey}, "RS384": {rs, &rs.PublicKey}} {
		t.Run(name, func(t *testing.T) {
			der, err := x509.MarshalPKCS8PrivateKey(key.private)
			if err != nil {
				t.Fatal(err)
			}
			signer, err := clientkey.Parse(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), "k1")
			if err != nil {
				t.Fatal(err)
			}
			a := &authority{t: t, key: key.public, jtis: map[string]bool{}}
			back := httptest.NewServer(a)
			defer back.Close()
			a.url = back.URL
			now := &clock.Movable{}
			now.Set(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
			c, err := upstream.New(upstream.Config{Base: back.URL, Transport: &upstream.Backend{
				TokenURL: back.URL + "/token", ClientID: "mandate", Scope: "system/*.rs", Sign: signer.Sign, Clock: now, Next: upstream.Transport(nil),
			}})
			if err != nil {
				t.Fatal(err)
			}
			want := func(issued int64) {
				t.Helper()
				if res, err := ask(c, "GET"); err != nil || res.Status != http.StatusOK || a.issued.Load() != issued {
					t.Errorf("status %d, %v, %d tokens", res.Status, err, a.issued.Load())
				}
			}
			want(1)
			want(1)
			a.good.Store("another")
			want(2)
			now.Set(now.Now().Add(280 * time.Second))
			want(3)
			a.key = nil
			now.Set(now.Now().Add(280 * time.Second))
			if _, err := ask(c, "GET"); !errs.Is(err, errs.Upstream) {
				t.Error(err)
			}
		})
	}
}

// An upstream that calls itself by another name in links is followed, below that
// name alone.
func TestAnAlias(t *testing.T) {
	c, err := upstream.New(upstream.Config{Base: "http://fhir.internal/r4", Aliases: []string{"https://fhir.example/r4/"}})
	if err != nil {
		t.Fatal(err)
	}
	for link, want := range map[string]string{
		"https://fhir.example/r4/Patient?page=2": "/Patient?page=2", "http://fhir.internal/r4?page=2": "?page=2",
		"Patient?page=2": "/Patient?page=2", "/r4/Patient?page=2": "/Patient?page=2", "?_getpages=x": "?_getpages=x", "/r4?_getpages=x": "?_getpages=x",
		"/admin": "", "//evil.example/r4/Patient": "", "../admin": "", "/r4/../admin": "", "/r4x/Patient": "", "mailto:x": "",
		"https://fhir.example/other/Patient": "", "https://fhir.example/r4/../admin": "",
	} {
		if got, ok := c.Below(link); got != want || ok != (want != "") {
			t.Errorf("%s: %q %v", link, got, ok)
		}
	}
}
