package export

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"sync"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/fhirevent"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

// Cursors keep the place of a stream in the log.
type Cursors interface {
	// AuditCursor gives how many leaves a stream has delivered; 0 for a new
	// one. Errors: errs.Unavailable.
	AuditCursor(ctx context.Context, tenant, stream string) (int64, error)
	// MoveAuditCursor moves a stream on; never back. Errors: errs.Unavailable.
	MoveAuditCursor(ctx context.Context, tenant, stream string, to int64) error
}

// StreamStore is what a Stream reads and writes.
type StreamStore interface {
	audit.Ledger
	Cursors
}

// StreamDeps is what a Stream works with.
type StreamDeps struct {
	Store StreamStore
	// Address is host and port of the receiver; it names the stream too.
	Address string
	// TLS verifies the receiver; see ClientTLS.
	TLS   *tls.Config
	Names func(tenant string) fhirevent.Names
	Clock clock.Clock
}

// Stream sends sealed events to a syslog receiver over TLS, in sealing order,
// each at least once. One node of all should call Round. It is safe for
// concurrent use.
type Stream struct {
	d    StreamDeps
	name string

	mu   sync.Mutex
	conn *tls.Conn
	// gone is closed when the receiver ended the connection.
	gone  chan struct{}
	sent  map[string]int64
	marks []mark
	retry time.Time
	wait  time.Duration

	state StreamStatus
}

// mark is a place that counts as delivered once the connection has stayed well
// for a while.
type mark struct {
	tenant string
	to     int64
	at     time.Time
}

// StreamStatus is how a stream stands.
type StreamStatus struct {
	Address   string
	Connected bool
	// Rounds counts the rounds of this node: 0 when another one sends.
	Rounds int64
	// Waiting is how many sealed events were not sent yet, Since from when on
	// there were some or the receiver failed; zero when all is well.
	Waiting int64
	Since   time.Time
	// Failure is the code of the last error, empty after a round without one.
	Failure string
}

// NewStream gives a stream; nothing is connected yet.
func NewStream(d StreamDeps) *Stream {
	return &Stream{d: d, name: "syslog:" + d.Address, sent: map[string]int64{}, state: StreamStatus{Address: d.Address}}
}

// ClientTLS gives the TLS settings for a receiver: its certificate must chain
// to the authorities of caFile (the system's when it is empty) and name the
// host; certFile and keyFile, when given, are shown to it. Errors:
// errs.Invalid with code audit-syslog-tls.
func ClientTLS(caFile, certFile, keyFile string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	fail := func(err error, what string) (*tls.Config, error) {
		return nil, errs.Wrap(err, errs.Invalid, "audit-syslog-tls", "Syslog over TLS: "+what)
	}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return fail(err, "the file with the authority's certificate cannot be read.")
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return fail(nil, "the file with the authority's certificate holds none.")
		}
	}
	if certFile != "" {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return fail(err, "the client certificate or its key cannot be read.")
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Status gives how the stream stands.
func (s *Stream) Status() StreamStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 10 * time.Second
	firstWait    = time.Second
	longestWait  = time.Minute
	// chunk is how many events are read and sent at once.
	chunk = 256
)

// Round sends what was sealed since the last one. After a failure it does
// nothing until some time has passed, up to a minute. Errors: errs.Unavailable
// with code audit-syslog when the receiver cannot be reached or is not who it
// should be; those of the store. What was not delivered is sent again.
func (s *Stream) Round(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.d.Clock.Now()
	if now.Before(s.retry) && s.retry.Sub(now) <= longestWait {
		return nil
	}
	err := s.round(ctx)
	s.state.Rounds++
	switch wrong := err != nil || s.state.Waiting > 0; {
	case !wrong:
		s.state.Since = time.Time{}
	case s.state.Since.IsZero():
		s.state.Since = now
	}
	s.state.Connected, s.state.Failure = s.conn != nil, ""
	if err != nil {
		s.drop()
		s.state.Connected, s.state.Failure = false, errs.As(err).Code
		s.wait = min(max(2*s.wait, firstWait), longestWait)
		s.retry = now.Add(s.wait)
		return err
	}
	s.wait, s.retry = 0, time.Time{}
	return nil
}

// Close ends the connection. What has not settled is sent again by the next
// stream.
func (s *Stream) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
}

func (s *Stream) drop() {
	if s.conn != nil {
		_ = s.conn.Close()
	}
	s.conn, s.marks = nil, nil
	clear(s.sent)
}

func (s *Stream) round(ctx context.Context) error {
	tenants, err := s.d.Store.AuditTenants(ctx)
	if err != nil {
		return err
	}
	if err := s.alive(); err != nil {
		return err
	}
	if err := s.settleMarks(ctx); err != nil {
		return err
	}
	s.state.Waiting = 0
	for _, t := range tenants {
		if err := s.tenant(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// alive notices a connection that the receiver has ended.
func (s *Stream) alive() error {
	if s.conn == nil {
		return nil
	}
	select {
	case <-s.gone:
		return errReceiver(nil, "ended the connection")
	default:
		return nil
	}
}

func errReceiver(cause error, what string) error {
	return errs.Wrap(cause, errs.Unavailable, "audit-syslog", "The syslog receiver "+what+".")
}

// settleMarks moves the cursors behind what has stayed well long enough.
func (s *Stream) settleMarks(ctx context.Context) error {
	now := s.d.Clock.Now()
	for len(s.marks) > 0 && (now.Sub(s.marks[0].at) >= settle || now.Before(s.marks[0].at)) {
		if err := s.d.Store.MoveAuditCursor(ctx, s.marks[0].tenant, s.name, s.marks[0].to); err != nil {
			return err
		}
		s.marks = s.marks[1:]
	}
	return nil
}

func (s *Stream) tenant(ctx context.Context, tenant string) error {
	head, err := s.d.Store.LedgerHead(ctx, tenant)
	if err != nil {
		return err
	}
	at, known := s.sent[tenant]
	if !known {
		if at, err = s.d.Store.AuditCursor(ctx, tenant, s.name); err != nil {
			return err
		}
		s.sent[tenant] = at
	}
	s.state.Waiting += max(0, head.Size-at)
	for at < head.Size {
		next, err := s.send(ctx, tenant, at, min(at+chunk, head.Size))
		if err != nil {
			return err
		}
		s.state.Waiting -= next - at
		s.sent[tenant], at = next, next
		s.marks = append(s.marks, mark{tenant, next, s.d.Clock.Now()})
	}
	return nil
}

// send writes the events of some leaves and gives the place behind them.
func (s *Stream) send(ctx context.Context, tenant string, from, to int64) (int64, error) {
	if err := s.connect(ctx); err != nil {
		return from, err
	}
	leaves, err := audit.Leaves(ctx, s.d.Store, tenant, from, to)
	if err != nil {
		return from, err
	}
	names := make([]string, len(leaves))
	for i, l := range leaves {
		names[i] = l.ID
	}
	stored, err := s.d.Store.StoredAudits(ctx, tenant, names)
	if err != nil {
		return from, err
	}
	byID := make(map[string]audit.Event, len(stored))
	for _, e := range stored {
		byID[e.Event.ID] = e.Event
	}
	var out []byte
	for _, l := range leaves {
		// An event that is not there any more is for audit verify to name.
		if e, found := byID[l.ID]; found {
			out = append(out, frame(Message(e, s.d.Names(tenant)))...)
		}
	}
	if err := s.conn.SetWriteDeadline(deadline(writeTimeout)); err != nil {
		return from, errReceiver(err, "cannot be written to")
	}
	if _, err := s.conn.Write(out); err != nil {
		return from, errReceiver(err, "did not take the events")
	}
	return to, nil
}

// deadline is by the machine's clock, as sockets count.
func deadline(d time.Duration) time.Time { return clock.System{}.Now().Add(d) }

func (s *Stream) connect(ctx context.Context) error {
	if s.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := (&tls.Dialer{NetDialer: &net.Dialer{}, Config: s.d.TLS}).DialContext(ctx, "tcp", s.d.Address)
	if err != nil {
		return errReceiver(err, "cannot be reached or does not show the certificate that is expected")
	}
	secure, ok := conn.(*tls.Conn)
	if !ok {
		_ = conn.Close()
		return errReceiver(nil, "does not speak TLS")
	}
	s.conn, s.gone = secure, make(chan struct{})
	go listen(secure, s.gone)
	return nil
}

// listen reads until the receiver ends the connection: it has nothing to say.
func listen(conn net.Conn, gone chan<- struct{}) {
	defer close(gone)
	buffer := make([]byte, 512)
	for {
		if _, err := conn.Read(buffer); err != nil {
			return
		}
	}
}
