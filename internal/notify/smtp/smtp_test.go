package smtp_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/internal/notify/smtp"
	"github.com/mandate-health/mandate/internal/testsmtp"
)

const password = "a password that is not in the log"

// world is a submission server and how it is verified.
func world(t *testing.T, implicit bool) (*testsmtp.Server, *tls.Config) {
	t.Helper()
	lender := httptest.NewTLSServer(http.NotFoundHandler())
	defer lender.Close()
	roots := x509.NewCertPool()
	roots.AddCert(lender.Certificate())
	s := testsmtp.Start(t, lender.TLS.Certificates[0], implicit)
	s.Password = password
	return s, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

func settings(s *testsmtp.Server, scheme string) smtp.Config {
	return smtp.Config{Server: scheme + "://" + s.Address, From: "Hill Clinic <notices@hill.example>", User: "mandate", Password: password}
}

func deliver(t *testing.T, c smtp.Config, way *tls.Config) error {
	t.Helper()
	channel, err := smtp.New(smtp.Deps{Config: c, TLS: way, Clock: clock.Fixed(time.Unix(1700000000, 0)),
		Letter: func(_ context.Context, n outbox.Notice) (smtp.Letter, error) {
			if n.PersonID == "nobody" {
				return smtp.Letter{}, errs.New(errs.Invalid, "notice-no-address", "")
			}
			return smtp.Letter{To: n.PersonID, Subject: "Algo cambió", Text: "Entre: https://hill.example/home\n"}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	person := "rosa@home.example"
	if c.CAFile != "" {
		person = c.CAFile // the story's own way to say who
	}
	return channel.Deliver(t.Context(), outbox.Notice{Tenant: "main", ID: "n1", PersonID: person, Template: "app-connected-by-proxy", Args: map[string]string{"app": "Palliative Diary"}})
}

// A notice goes out under TLS only, logged in, in plain text, with nothing of
// what it is about, and under an id by which a second one is known.
func TestDeliver(t *testing.T) {
	for scheme, implicit := range map[string]bool{"smtp": false, "smtps": true} {
		s, way := world(t, implicit)
		if err := deliver(t, settings(s, scheme), way); err != nil {
			t.Fatalf("%s: %v", scheme, err)
		}
		mails := s.Mails()
		if len(mails) != 1 {
			t.Fatalf("%s: %d mails", scheme, len(mails))
		}
		m := mails[0]
		if !m.Secret || m.User != "mandate" || m.From != "notices@hill.example" || m.To != "rosa@home.example" {
			t.Errorf("%s: %+v", scheme, m)
		}
		for _, want := range []string{
			"Message-ID: <n1@hill.example>", "Auto-Submitted: auto-generated", "Date: Tue, 14 Nov 2023 22:13:20 +0000",
			"Content-Type: text/plain; charset=UTF-8", "https://hill.example/home", "Subject: =?UTF-8?q?Algo_cambi=C3=B3?=",
		} {
			if !strings.Contains(m.Data, want) {
				t.Errorf("%s: no %q in\n%s", scheme, want, m.Data)
			}
		}
		for _, never := range []string{"Palliative", "connected", "go-mail"} {
			if strings.Contains(m.Data, never) {
				t.Errorf("%s: %q in\n%s", scheme, never, m.Data)
			}
		}
	}
}

// What may pass is tried again; what never will is given up. No error repeats
// an address or the password, and nothing travels in the clear.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		command, answer string
		spoil           func(*smtp.Config, *tls.Config)
		kind            errs.Kind
	}{
		"mailbox unknown":           {command: "RCPT", answer: "550 5.1.1 rosa@home.example is unknown", kind: errs.Invalid},
		"mailbox busy":              {command: "RCPT", answer: "450 4.2.1 later", kind: errs.Upstream},
		"server full":               {command: "DATA", answer: "452 4.3.1 disk full", kind: errs.Upstream},
		"sender refused":            {command: "MAIL", answer: "550 5.7.1 not you", kind: errs.Upstream},
		"no STARTTLS":               {command: "EHLO", answer: "250 test", kind: errs.Upstream},
		"STARTTLS refused":          {command: "STARTTLS", answer: "454 4.7.0 not now", kind: errs.Upstream},
		"wrong password":            {spoil: func(c *smtp.Config, _ *tls.Config) { c.Password = "other" }, kind: errs.Upstream},
		"certificate of a stranger": {spoil: func(_ *smtp.Config, way *tls.Config) { way.RootCAs = x509.NewCertPool() }, kind: errs.Upstream},
		"nobody there":              {spoil: func(c *smtp.Config, _ *tls.Config) { c.Server = "smtp://127.0.0.1:1" }, kind: errs.Upstream},
		"nobody to send to":         {spoil: func(c *smtp.Config, _ *tls.Config) { c.CAFile = "nobody" }, kind: errs.Invalid},
		"no address":                {spoil: func(c *smtp.Config, _ *tls.Config) { c.CAFile = "rosa\r\nBcc: eve@x" }, kind: errs.Invalid},
	} {
		s, way := world(t, false)
		conf := settings(s, "smtp")
		if c.spoil != nil {
			c.spoil(&conf, way)
		}
		if c.command != "" {
			s.Answer(c.command, c.answer)
		}
		err := deliver(t, conf, way)
		if !errs.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text := err.Error()
		if e := errs.As(err); e.Cause != nil {
			text += e.Cause.Error()
		}
		if strings.Contains(text, "rosa@") || strings.Contains(text, password) {
			t.Errorf("%s tells %s", name, text)
		}
		if len(s.Mails()) != 0 {
			t.Errorf("%s: it was sent", name)
		}
	}
}

func TestConfig(t *testing.T) {
	for server, ok := range map[string]bool{
		"": true, "smtp://mail.example": true, "smtp://mail.example:2587": true, "smtps://mail.example:465": true,
		"mail.example": false, "smtp://": false, "http://mail.example": false, "smtp://u:p@mail.example": false, "smtp://mail.example/x": false,
	} {
		c := smtp.Config{Server: server, From: "notices@hill.example"}
		if err := c.Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", server, err)
		}
	}
	c := smtp.Config{Server: "smtp://mail.example", From: "hill", User: "u"}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "smtp_from") || !strings.Contains(err.Error(), "smtp_password") {
		t.Error(err)
	}
}
