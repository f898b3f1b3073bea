package tlsconf_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/tlsconf"
)

// pair writes a certificate for localhost over the key to the folder and gives
// its pool.
func pair(t *testing.T, dir string, key *ecdsa.PrivateKey, ends time.Time) *x509.CertPool {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: ends, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	put(t, dir, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return pool
}

func put(t *testing.T, dir, name string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// lines is a log that a test can wait on.
type lines struct {
	mu   sync.Mutex
	all  bytes.Buffer
	news chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.all.Write(p)
	l.news <- struct{}{}
	return n, err
}

// wait returns once the text was logged; what was logged before is forgotten.
func (l *lines) wait(t *testing.T, text string) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case <-l.news:
		case <-late:
			t.Fatalf("%q was not logged", text)
		}
		l.mu.Lock()
		found := strings.Contains(l.all.String(), text)
		if found {
			l.all.Reset()
		}
		l.mu.Unlock()
		if found {
			return
		}
	}
}

// serving opens a listener that says hello to whoever it understands.
func serving(t *testing.T, s *tlsconf.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = tls.Server(c, s.TLS()).Write([]byte("hello"))
			}()
		}
	}()
	return l.Addr().String()
}

// dial connects as a client does and reads the hello, with which the ticket
// comes too.
func dial(address string, conf *tls.Config) (tls.ConnectionState, error) {
	conf.ServerName = "localhost"
	c, err := tls.Dial("tcp", address, conf)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	_, err = c.Read(make([]byte, 5))
	return c.ConnectionState(), errors.Join(err, c.Close())
}

func open(t *testing.T, dir string, c clock.Clock, log *lines) *tlsconf.Server {
	t.Helper()
	s, err := tlsconf.Open(tlsconf.Deps{
		Config: tlsconf.Config{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), Reload: 20 * time.Millisecond},
		Clock:  c, Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// SE-06, SE-07, SE-09, SE-10: what is negotiated, and what is refused with an
// alert.
func TestNegotiation(t *testing.T) {
	dir := t.TempDir()
	roots := pair(t, dir, newKey(t), time.Now().Add(time.Hour))
	address := serving(t, open(t, dir, clock.System{}, &lines{news: make(chan struct{}, 9)}))
	for name, conf := range map[string]*tls.Config{
		"TLS 1.0":        {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10},
		"TLS 1.1":        {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"CBC":            {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA}},
		"RSA exchange":   {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384}},
		"RC4":            {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA}},
		"another server": {ServerName: "elsewhere.example"},
	} {
		if conf.RootCAs = roots; name == "another server" {
			conf.RootCAs = x509.NewCertPool()
		}
		_, err := dial(address, conf)
		var alert tls.AlertError
		if err == nil || name != "another server" && !errors.As(err, &alert) && !strings.Contains(err.Error(), "remote error: tls:") {
			t.Errorf("%s: %v", name, err)
		}
	}
	best, err := dial(address, &tls.Config{RootCAs: roots})
	if err != nil || best.Version != tls.VersionTLS13 || best.CurveID != tls.X25519MLKEM768 {
		t.Errorf("version %x, exchange %s, %v", best.Version, best.CurveID, err)
	}
	old, err := dial(address, &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.CurveP256}})
	if err != nil || old.CipherSuite != tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 {
		t.Errorf("suite %s, %v", tls.CipherSuiteName(old.CipherSuite), err)
	}
}

// SE-10: a session ticket opens for at most a day after its key was made.
func TestTicketKeysAreForgotten(t *testing.T) {
	dir, now := t.TempDir(), &clock.Movable{}
	roots := pair(t, dir, newKey(t), time.Now().Add(1000*time.Hour))
	log := &lines{news: make(chan struct{}, 9)}
	s := open(t, dir, now, log)
	ctx, stop := context.WithCancel(t.Context())
	again := make(chan os.Signal)
	ended := make(chan struct{})
	go func() { s.Watch(ctx, again); close(ended) }()
	defer func() { stop(); <-ended }()
	address := serving(t, s)
	client := &tls.Config{RootCAs: roots, ClientSessionCache: tls.NewLRUClientSessionCache(4), MaxVersion: tls.VersionTLS12}
	resumed := func() bool {
		state, err := dial(address, client)
		if err != nil {
			t.Fatal(err)
		}
		return state.DidResume
	}
	// rotate lets the watcher see the new time: a second look has begun when the
	// first one was answered, so its tick is over.
	rotate := func(d time.Duration) {
		now.Advance(d)
		again <- syscall.SIGHUP
		log.wait(t, "certificate read again")
		again <- syscall.SIGHUP
		log.wait(t, "certificate read again")
	}
	if resumed() || !resumed() {
		t.Error("a ticket is made at the first connection and opens at the second")
	}
	kept, _ := client.ClientSessionCache.Get("localhost")
	rotate(13 * time.Hour)
	if !resumed() {
		t.Error("the ticket of yesterday's key does not open half a day later")
	}
	client.ClientSessionCache.Put("localhost", kept)
	rotate(13 * time.Hour)
	if resumed() {
		t.Error("a ticket opens a day after its key was made")
	}
}

// A new certificate is served without a restart; a broken one is refused, told
// once, and the old one stays.
func TestReload(t *testing.T) {
	dir, key := t.TempDir(), newKey(t)
	first := pair(t, dir, key, time.Now().Add(time.Hour))
	log := &lines{news: make(chan struct{}, 99)}
	s := open(t, dir, clock.System{}, log)
	ctx, stop := context.WithCancel(t.Context())
	again := make(chan os.Signal)
	ended := make(chan struct{})
	go func() { s.Watch(ctx, again); close(ended) }()
	defer func() { stop(); <-ended }()
	address := serving(t, s)
	served := func(pool *x509.CertPool) bool {
		_, err := dial(address, &tls.Config{RootCAs: pool})
		return err == nil
	}
	put(t, dir, "cert.pem", []byte("not a certificate"))
	log.wait(t, "the old one stays")
	again <- syscall.SIGHUP
	log.wait(t, "the old one stays")
	if !served(first) {
		t.Error("a broken file took the certificate away")
	}
	pair(t, dir, newKey(t), time.Now().Add(-time.Hour))
	again <- syscall.SIGHUP
	log.wait(t, "ended on")
	// Certificate and key change in two steps; what is between is refused.
	second := pair(t, t.TempDir(), key, time.Now().Add(time.Hour))
	if served(second) || !served(first) {
		t.Error("an ended certificate is served")
	}
	third := pair(t, dir, newKey(t), time.Now().Add(2*time.Hour))
	again <- syscall.SIGHUP
	log.wait(t, "certificate read again")
	if !served(third) || served(first) {
		t.Error("the new certificate is not served")
	}
	if _, err := tlsconf.Open(tlsconf.Deps{Config: tlsconf.Config{CertFile: filepath.Join(dir, "none"), KeyFile: "none"}}); err == nil {
		t.Error("opened without a certificate")
	}
}

// SE-11: a sample app that pins keys still connects when the backup key takes
// over, and is blocked when somebody answers with another key.
func TestPins(t *testing.T) {
	dir, current, backup := t.TempDir(), newKey(t), newKey(t)
	ready := t.TempDir()
	pair(t, ready, backup, time.Now().Add(time.Hour))
	pin, err := tlsconf.PinOfFile(filepath.Join(ready, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if same, err := tlsconf.PinOfFile(filepath.Join(ready, "cert.pem")); err != nil || same != pin || !tlsconf.ValidPin(pin) {
		t.Fatal(same, pin, err)
	}
	pair(t, dir, current, time.Now().Add(time.Hour))
	s, err := tlsconf.Open(tlsconf.Deps{
		Config: tlsconf.Config{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), BackupPins: []string{pin}},
		Clock:  clock.System{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	var pins []string
	for _, p := range s.Pins() {
		pins = append(pins, p.Pin)
	}
	if len(pins) != 2 || pins[1] != pin || s.Pins()[0].Role != "current" || s.Pins()[1].Role != "backup" {
		t.Fatalf("%+v", s.Pins())
	}
	address := serving(t, s)
	connects := func(key *ecdsa.PrivateKey) error {
		roots := pair(t, dir, key, time.Now().Add(time.Hour))
		if err := s.Reload(); err != nil {
			t.Fatal(err)
		}
		_, err := dial(address, &tls.Config{RootCAs: roots, VerifyConnection: tlsconf.Pinned(pins)})
		return err
	}
	if err := connects(current); err != nil {
		t.Error(err)
	}
	if err := connects(backup); err != nil {
		t.Errorf("after the rotation to the backup key: %v", err)
	}
	if err := connects(newKey(t)); err == nil || !strings.Contains(err.Error(), "not among the pinned") {
		t.Errorf("an unknown key: %v", err)
	}
	put(t, dir, "empty", nil)
	if _, err := tlsconf.PinOfFile(filepath.Join(dir, "empty")); err == nil {
		t.Error("a pin of nothing")
	}
}

// Every fault of the settings is told at once.
func TestFaults(t *testing.T) {
	c := tlsconf.Config{CertFile: "c", Reload: -1, BackupPins: []string{"sha256/short"}, NextRotation: "soon"}
	err := c.Validate()
	for _, key := range []string{"cert_file", "reload", "backup_pins", "next_rotation"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// A connection to a server behind is verified, with its own authorities where
// given, and shows our certificate.
func TestClient(t *testing.T) {
	dir := t.TempDir()
	pair(t, dir, newKey(t), time.Now().Add(time.Hour))
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	conf, err := tlsconf.Client{CAFile: cert, CertFile: cert, KeyFile: key}.TLS()
	if err != nil || conf.InsecureSkipVerify || conf.RootCAs == nil || len(conf.Certificates) != 1 || conf.MinVersion != tls.VersionTLS12 {
		t.Errorf("%+v %v", conf, err)
	}
	for _, c := range []tlsconf.Client{{CAFile: key}, {CAFile: "none"}, {CertFile: cert, KeyFile: cert}} {
		if _, err := c.TLS(); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
