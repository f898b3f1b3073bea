package testsmtp

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
)

// patience bounds one connection: who leaves one open is told by the test that
// waits for its end.
const patience = 5 * time.Second

// Mail is one message that was taken.
type Mail struct {
	From, To string
	// Data are the headers and the text, with LF line ends.
	Data string
	// User is who was logged in; Secret says that TLS was spoken.
	User   string
	Secret bool
}

// Server is a submission server on loopback.
type Server struct {
	// Address is HOST:PORT.
	Address string
	// Password is that of the user "mandate"; empty asks nobody to log in.
	Password string

	tls      *tls.Config
	implicit bool

	mu      sync.Mutex
	mails   []Mail
	answers map[string]string
}

// Start listens until the test ends. implicit speaks TLS from the first byte.
func Start(t testing.TB, certificate tls.Certificate, implicit bool) *Server {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		Address: l.Addr().String(), implicit: implicit, answers: map[string]string{},
		tls: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close() // ends the loop below
		all.Wait()
	})
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(clock.System{}.Now().Add(patience))
				_ = s.serve(c) // a client that goes away is no fault
			})
		}
	})
	return s
}

// Answer makes the server say this to a command such as "RCPT"; "" ends it.
func (s *Server) Answer(command, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[command] = text
}

// Mails gives what was taken.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// session is one connection.
type session struct {
	*Server
	conn net.Conn
	in   *bufio.Reader
	mail Mail
}

func (s *Server) serve(c net.Conn) error {
	x := &session{Server: s, conn: c}
	if s.implicit {
		x.conn, x.mail.Secret = tls.Server(c, s.tls), true
	}
	x.in = bufio.NewReader(x.conn)
	if err := x.say("220 test"); err != nil {
		return err
	}
	for {
		line, err := x.in.ReadString('\n')
		if err != nil {
			return err
		}
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if err := x.command(strings.ToUpper(word), rest); err != nil {
			return err
		}
	}
}

func (x *session) say(text string) error {
	_, err := io.WriteString(x.conn, text+"\r\n")
	return err
}

func (x *session) command(word, rest string) error {
	x.mu.Lock()
	told := x.answers[word]
	x.mu.Unlock()
	switch {
	case told != "":
		return x.say(told)
	case word == "QUIT":
		_ = x.say("221 bye")
		return io.EOF
	case word == "EHLO":
		return x.say(x.offers())
	case word == "STARTTLS":
		return x.startTLS()
	case word == "AUTH":
		return x.auth(rest)
	case word == "MAIL" && x.Password != "" && x.mail.User == "":
		return x.say("530 5.7.0 log in first")
	case word == "MAIL":
		x.mail.From = address(rest)
	case word == "RCPT":
		x.mail.To = address(rest)
	case word == "DATA":
		return x.data()
	}
	return x.say("250 ok")
}

func (x *session) offers() string {
	if !x.mail.Secret {
		return "250-test\r\n250 STARTTLS"
	}
	return "250-test\r\n250 AUTH PLAIN"
}

func (x *session) startTLS() error {
	if err := x.say("220 go on"); err != nil {
		return err
	}
	x.conn, x.mail.Secret = tls.Server(x.conn, x.tls), true
	x.in = bufio.NewReader(x.conn)
	return nil
}

func (x *session) auth(rest string) error {
	_, text, _ := strings.Cut(rest, " ")
	raw, err := base64.StdEncoding.DecodeString(text)
	if want := fmt.Sprintf("\x00mandate\x00%s", x.Password); err != nil || string(raw) != want {
		return x.say("535 5.7.8 wrong")
	}
	x.mail.User = "mandate"
	return x.say("235 welcome")
}

func (x *session) data() error {
	if err := x.say("354 go on"); err != nil {
		return err
	}
	var text strings.Builder
	for {
		line, err := x.in.ReadString('\n')
		if err != nil {
			return err
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(strings.ReplaceAll(strings.TrimPrefix(line, "."), "\r\n", "\n"))
	}
	x.mail.Data = text.String()
	x.mu.Lock()
	x.mails = append(x.mails, x.mail)
	x.mu.Unlock()
	return x.say("250 taken")
}

// address takes what stands in angle brackets.
func address(rest string) string {
	_, rest, _ = strings.Cut(rest, "<")
	out, _, _ := strings.Cut(rest, ">")
	return out
}
