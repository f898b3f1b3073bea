package tlsconf

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// ticketLife is how long one session ticket key is used to seal; it opens
// tickets as long again and is then forgotten: 24 hours in all (SE-10).
const ticketLife = 12 * time.Hour

// Deps is what a Server needs.
type Deps struct {
	Config Config
	Clock  clock.Clock
	IDs    ids.Source
	Log    *slog.Logger
}

// Server is the server side of TLS: one configuration for all listeners, whose
// certificate and ticket keys change while it runs. It is safe for concurrent
// use.
type Server struct {
	d      Deps
	config *tls.Config
	cert   atomic.Pointer[loaded]

	mu      sync.Mutex
	tickets [][32]byte
	rotated time.Time
	refused [sha256.Size]byte
}

// loaded is a certificate with the digest of the files it came from.
type loaded struct {
	cert   *tls.Certificate
	leaf   *x509.Certificate
	digest [sha256.Size]byte
}

// Open reads the certificate. Errors: errs.Invalid with code
// certificate-unreadable.
func Open(d Deps) (*Server, error) {
	s := &Server{d: d}
	if err := s.Reload(); err != nil {
		return nil, err
	}
	s.begin()
	return s, nil
}

// Fixed serves a certificate that is not in files (development).
func Fixed(cert tls.Certificate, d Deps) (*Server, error) {
	s := &Server{d: d}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		return nil, unreadable(err, "The certificate cannot be read.")
	}
	s.cert.Store(&loaded{cert: &cert, leaf: leaf})
	s.begin()
	return s, nil
}

func (s *Server) begin() {
	s.config = Base()
	s.config.NextProtos = []string{"http/1.1"}
	s.config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.cert.Load().cert, nil }
	s.tick()
}

// TLS gives the configuration for the listeners, nil for no Server. It must not
// be changed.
func (s *Server) TLS() *tls.Config {
	if s == nil {
		return nil
	}
	return s.config
}

// Leaf gives the certificate that is served now.
func (s *Server) Leaf() *x509.Certificate { return s.cert.Load().leaf }

// Reload reads the files again. What cannot be served is refused and the old
// certificate kept. Errors: errs.Invalid with code certificate-unreadable.
func (s *Server) Reload() error {
	if s.d.Config.CertFile == "" {
		return nil
	}
	fresh, err := s.read()
	if err != nil {
		return err
	}
	s.cert.Store(fresh)
	return nil
}

func (s *Server) read() (*loaded, error) {
	certPEM, err := os.ReadFile(s.d.Config.CertFile)
	if err != nil {
		return nil, unreadable(err, "The certificate file "+s.d.Config.CertFile+" cannot be read.")
	}
	keyPEM, err := os.ReadFile(s.d.Config.KeyFile)
	if err != nil {
		return nil, unreadable(err, "The key file "+s.d.Config.KeyFile+" cannot be read.")
	}
	l := &loaded{digest: sha256.Sum256(bytes.Join([][]byte{certPEM, keyPEM}, []byte{0}))}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return l, unreadable(err, "The certificate "+s.d.Config.CertFile+" and the key "+s.d.Config.KeyFile+" cannot be used together.")
	}
	if l.leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
		return l, unreadable(err, "The certificate "+s.d.Config.CertFile+" cannot be read.")
	}
	if now := s.d.Clock.Now(); now.After(l.leaf.NotAfter) {
		return l, unreadable(nil, "The certificate "+s.d.Config.CertFile+" ended on "+l.leaf.NotAfter.Format(dateLayout)+".")
	}
	l.cert = &cert
	return l, nil
}

func unreadable(cause error, msg string) error {
	return errs.Wrap(cause, errs.Invalid, "certificate-unreadable", msg)
}

// Watch looks at the files now and then, reads them at once when again asks for
// it, and changes the ticket keys, until ctx ends.
func (s *Server) Watch(ctx context.Context, again <-chan os.Signal) {
	every := s.d.Config.Reload
	if every <= 0 {
		every = time.Minute
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again:
			s.look(ctx, true)
		case <-tick.C:
			s.look(ctx, false)
		}
		s.tick()
	}
}

// look reads the files and tells what came of it. A broken file is told once,
// not at every look.
func (s *Server) look(ctx context.Context, asked bool) {
	if s.d.Config.CertFile == "" {
		return
	}
	old := s.cert.Load()
	fresh, err := s.read()
	if err != nil {
		var digest [sha256.Size]byte
		if fresh != nil {
			digest = fresh.digest
		}
		s.mu.Lock()
		again := digest == s.refused && !asked
		s.refused = digest
		s.mu.Unlock()
		if !again {
			s.d.Log.ErrorContext(ctx, "the new certificate is refused, the old one stays", "why", errs.As(err).Msg, "ends", old.leaf.NotAfter.Format(time.RFC3339))
		}
		return
	}
	if fresh.digest == old.digest && !asked {
		return
	}
	s.cert.Store(fresh)
	s.d.Log.InfoContext(ctx, "certificate read again", "ends", fresh.leaf.NotAfter.Format(time.RFC3339), "serial", hex.EncodeToString(fresh.leaf.SerialNumber.Bytes()))
}

// tick makes a new ticket key when the present one is old enough.
func (s *Server) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.d.Clock.Now()
	if len(s.tickets) > 0 && now.Sub(s.rotated) < ticketLife && !now.Before(s.rotated) {
		return
	}
	fresh := [32]byte(s.d.IDs.Bytes(32))
	keys := [][32]byte{fresh}
	if len(s.tickets) > 0 && now.Sub(s.rotated) < 2*ticketLife {
		keys = append(keys, s.tickets[0])
	}
	s.tickets, s.rotated = keys, now
	s.config.SetSessionTicketKeys(keys)
}
