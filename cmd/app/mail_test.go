package app_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/notify/smtp"
	"github.com/mandate-health/mandate/internal/testsmtp"
)

// A notice reaches the person by e-mail at the address that the record has,
// although the mail server was not there at first, and says nothing of what it
// is about.
func TestNoticesByMail(t *testing.T) {
	cert, key := certificate(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	server := testsmtp.Start(t, pair, false)
	server.Answer("MAIL", "451 4.3.2 not now")
	s := start(t, func(c *app.Config) {
		c.Mail = smtp.Config{Server: "smtp://" + server.Address, From: "notices@lakeside.example", CAFile: cert}
	})
	s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Browser: s.browser("elena")}})
	await := func(what string, done func() bool) {
		t.Helper()
		late, tick := time.After(startDeadline), time.NewTicker(pollEvery)
		defer tick.Stop()
		for !done() {
			select {
			case <-tick.C:
			case <-late:
				t.Fatalf("%s does not come about\n%s", what, s.out)
			}
		}
	}
	await("a first try", func() bool { return strings.Contains(s.out.String(), "smtp-failed") })
	server.Answer("MAIL", "")
	await("the message", func() bool { return len(server.Mails()) > 0 })
	m := server.Mails()[0]
	if !m.Secret || m.To != "rosa@example.com" || !strings.Contains(m.Data, s.Issuer+"/home") {
		t.Errorf("%+v", m)
	}
	for _, never := range []string{"Elena", "Rosa", "Alvarez", "app-connected", "Lakeside Palliative"} {
		if strings.Contains(m.Data, never) {
			t.Errorf("the message says %q:\n%s", never, m.Data)
		}
	}
	await("the note that it went", func() bool {
		return strings.Contains(string(s.get(t, "/dev/outbox").Body), `"channel":"smtp"`)
	})
	if len(server.Mails()) != 1 {
		t.Errorf("%d messages", len(server.Mails()))
	}
}
