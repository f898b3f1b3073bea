package storetest

import (
	"bufio"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit/export"
	"github.com/mandate-health/mandate/audit/fhirevent"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

// receiver is a syslog receiver over TLS that keeps what it is sent.
type receiver struct {
	address, caFile string
	messages        chan string

	mu   sync.Mutex
	conn net.Conn
}

// cut ends the newest connection.
func (r *receiver) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.conn.Close()
}

// syslogReceiver starts a receiver.
func syslogReceiver(t *testing.T) *receiver {
	t.Helper()
	lender := httptest.NewTLSServer(http.NotFoundHandler())
	pair := lender.TLS.Certificates[0]
	lender.Close()
	r := &receiver{caFile: filepath.Join(t.TempDir(), "ca.pem"), messages: make(chan string, 4096)}
	must(t, os.WriteFile(r.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o600))
	l := got(tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}))(t)
	r.address = l.Addr().String()
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.conn = conn
			r.mu.Unlock()
			go r.read(bufio.NewReader(conn))
		}
	}()
	return r
}

// read takes frames as RFC 5425 §4.3 has them: length, space, message.
func (r *receiver) read(from *bufio.Reader) {
	for {
		digits, err := from.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(digits, " "))
		if err != nil {
			r.messages <- "not a frame: " + digits
			return
		}
		message := make([]byte, n)
		if _, err := io.ReadFull(from, message); err != nil {
			return
		}
		r.messages <- string(message)
	}
}

// next gives the ids of the next n messages, sorted.
func (r *receiver) next(t *testing.T, n int) []string {
	t.Helper()
	var out []string
	deadline := time.After(20 * time.Second)
	for len(out) < n {
		select {
		case m := <-r.messages:
			_, rest, _ := strings.Cut(m, ` id="`)
			id, _, _ := strings.Cut(rest, `"`)
			if !strings.HasPrefix(m, "<109>1 2026-11-22T12:0") || !strings.Contains(m, "\ufeff{\"resourceType\":\"AuditEvent\"") {
				t.Fatalf("%s", m)
			}
			out = append(out, id)
		case <-deadline:
			t.Fatalf("%d of %d messages came", len(out), n)
		}
	}
	slices.Sort(out)
	return out
}

// SA-17: every sealed event reaches the receiver, also when the connection
// breaks or another node takes over; one that is not who it should be gets
// nothing.
func streamStory(t *testing.T, s *store.Store) {
	ctx := t.Context()
	const n = 300
	all := numbered(n + 2)
	must(t, s.AppendAudits(ctx, all[:n]))
	seal := sealer(s, noon().Add(time.Hour))
	got(seal.Pass(ctx))(t)
	r := syslogReceiver(t)
	var clk clock.Movable
	stream := func(ca string) *export.Stream {
		settings := got(export.ClientTLS(ca, "", ""))(t)
		return export.NewStream(export.StreamDeps{Store: s, Address: r.address, TLS: settings, Clock: &clk,
			Names: func(string) fhirevent.Names { return fhirevent.Names{Issuer: "https://id.example", Site: "id.example"} }})
	}
	var want []string
	for _, e := range all {
		want = append(want, e.ID)
	}

	// A receiver of another authority gets nothing, and is left alone a while.
	stranger := stream("")
	fails(t, stranger.Round(ctx), errs.Unavailable)
	must(t, stranger.Round(ctx))
	equal(t, []any{stranger.Status().Connected, stranger.Status().Failure, stranger.Status().Since.IsZero()}, []any{false, "audit-syslog", false})

	// Cut before it settled: all of it comes again.
	first := stream(r.caFile)
	must(t, first.Round(ctx))
	equal(t, r.next(t, n), want[:n])
	equal(t, got(s.AuditCursor(ctx, tenant, "syslog:"+r.address))(t), int64(0))
	r.cut()
	deadline := time.After(20 * time.Second)
	for first.Round(ctx) == nil {
		select {
		case <-deadline:
			t.Fatal("the end of the connection was not noticed")
		case <-time.After(10 * time.Millisecond):
		}
	}
	clk.Advance(time.Minute)
	must(t, first.Round(ctx))
	equal(t, r.next(t, n), want[:n])

	// Settled: another node goes on behind it.
	clk.Advance(time.Minute)
	must(t, first.Round(ctx))
	equal(t, got(s.AuditCursor(ctx, tenant, "syslog:"+r.address))(t), int64(n))
	first.Close()
	must(t, s.AppendAudits(ctx, all[n:]))
	got(seal.Sweep(ctx, time.Time{}))(t)
	second := stream(r.caFile)
	must(t, second.Round(ctx))
	equal(t, r.next(t, 2), want[n:])
	equal(t, []any{second.Status().Connected, second.Status().Waiting, second.Status().Since.IsZero()}, []any{true, int64(0), true})
	second.Close()
	fails(t, got2(export.ClientTLS("/nowhere", "", "")), errs.Invalid)
	fails(t, got2(export.ClientTLS("", "/nowhere", "/nowhere")), errs.Invalid)
}
