package sms_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/internal/notify/sms"
	"github.com/mandate-health/mandate/internal/notify/webhook"
)

const secret = "0123456789abcdef0123456789abcdef"

// gateway answers with a status and keeps what it was asked.
type gateway struct {
	*httptest.Server
	status int
	asked  []*http.Request
	bodies []string
}

func newGateway(t *testing.T) *gateway {
	g := &gateway{status: http.StatusAccepted}
	g.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		g.asked, g.bodies = append(g.asked, r), append(g.bodies, string(body))
		if g.status == http.StatusFound {
			w.Header().Set("Location", "https://elsewhere.example/")
		}
		w.WriteHeader(g.status)
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) channel(c sms.Config, at time.Time) *sms.Channel {
	pool := x509.NewCertPool()
	pool.AddCert(g.Certificate())
	c.Gateway = g.URL + "/messages"
	return sms.New(sms.Deps{
		Config: c, TLS: &tls.Config{RootCAs: pool}, Clock: clock.Fixed(at),
		Message: func(_ context.Context, n outbox.Notice) (sms.Message, error) {
			return sms.Message{To: n.Args["to"], Text: "Code 1"}, nil
		},
	})
}

var note = outbox.Notice{ID: "n1", Args: map[string]string{"to": "+15555550123"}}

// The document is small, names its fields as the gateway does, and is signed.
func TestAMessageIsPosted(t *testing.T) {
	g, at := newGateway(t), time.Unix(1700000000, 0)
	c := sms.Config{Token: "t0ken", Secret: secret, To: "destination", Text: "body", More: []string{"from=Lakeside"}}
	if err := g.channel(c, at).Deliver(t.Context(), note); err != nil {
		t.Fatal(err)
	}
	var doc map[string]string
	if err := json.Unmarshal([]byte(g.bodies[0]), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc) != 3 || doc["destination"] != "+15555550123" || doc["body"] != "Code 1" || doc["from"] != "Lakeside" {
		t.Errorf("%v", doc)
	}
	h := g.asked[0].Header
	if h.Get("Authorization") != "Bearer t0ken" || h.Get("Idempotency-Key") != "n1" ||
		h.Get(webhook.SignatureHeader) != webhook.Sign(secret, at, []byte(g.bodies[0])) {
		t.Errorf("%v", h)
	}
	if err := g.channel(sms.Config{User: "lakeside", Token: "t0ken"}, at).Deliver(t.Context(), note); err != nil {
		t.Fatal(err)
	}
	if user, password, ok := g.asked[1].BasicAuth(); !ok || user != "lakeside" || password != "t0ken" || !strings.Contains(g.bodies[1], `"to":"+15555550123"`) {
		t.Errorf("%q %q %s", user, password, g.bodies[1])
	}
}

// What may pass is tried again, what never will is given up, and no error tells the
// number, the text or the credential.
func TestWhatAGatewayAnswers(t *testing.T) {
	g := newGateway(t)
	ch := g.channel(sms.Config{Token: "t0ken"}, time.Unix(1700000000, 0))
	for _, c := range []struct {
		status int
		kind   errs.Kind
		code   string
	}{
		{http.StatusOK, "", ""},
		{http.StatusBadRequest, errs.Invalid, "sms-refused"},
		{http.StatusUnprocessableEntity, errs.Invalid, "sms-refused"},
		{http.StatusUnauthorized, errs.Upstream, "sms-failed"},
		{http.StatusTooManyRequests, errs.Upstream, "sms-failed"},
		{http.StatusBadGateway, errs.Upstream, "sms-failed"},
		{http.StatusFound, errs.Upstream, "sms-failed"}, // not followed
	} {
		g.status = c.status
		err := ch.Deliver(t.Context(), note)
		if errs.KindOf(err) != c.kind || err != nil && errs.As(err).Code != c.code {
			t.Errorf("%d: %v", c.status, err)
		}
		if err != nil && (strings.Contains(err.Error(), "555") || strings.Contains(err.Error(), "t0ken")) {
			t.Errorf("%d tells: %v", c.status, err)
		}
	}
	g.status = http.StatusUnauthorized // without a credential
	if err := ch.Reach(t.Context()); err != nil || g.asked[len(g.asked)-1].Header.Get("Authorization") != "" {
		t.Error(err)
	}
	g.Close()
	if err := ch.Deliver(t.Context(), note); errs.KindOf(err) != errs.Upstream || strings.Contains(err.Error(), g.URL) {
		t.Error(err)
	}
	if err := ch.Reach(t.Context()); errs.KindOf(err) != errs.Upstream {
		t.Error(err)
	}
}

func TestSettings(t *testing.T) {
	for name, c := range map[string]struct {
		sms.Config
		bad string
	}{
		"none":          {sms.Config{}, ""},
		"token":         {sms.Config{Gateway: "https://sms.example/send", Token: "t"}, ""},
		"secret":        {sms.Config{Gateway: "http://127.0.0.1:9/send", Secret: secret}, ""},
		"in the clear":  {sms.Config{Gateway: "http://sms.example/send", Token: "t"}, "sms:"},
		"user in URL":   {sms.Config{Gateway: "https://a:b@sms.example/", Token: "t"}, "sms:"},
		"anonymous":     {sms.Config{Gateway: "https://sms.example/"}, "sms_token"},
		"short secret":  {sms.Config{Gateway: "https://sms.example/", Secret: "short"}, "sms_secret"},
		"no password":   {sms.Config{Gateway: "https://sms.example/", Secret: secret, User: "u"}, "sms_user"},
		"one field":     {sms.Config{Gateway: "https://sms.example/", Token: "t", To: "x", Text: "x"}, "sms_text_field"},
		"field taken":   {sms.Config{Gateway: "https://sms.example/", Token: "t", More: []string{"to=1"}}, "sms_fields"},
		"field unnamed": {sms.Config{Gateway: "https://sms.example/", Token: "t", More: []string{"=1"}}, "sms_fields"},
	} {
		err := c.Validate()
		if (err == nil) != (c.bad == "") || err != nil && !strings.Contains(err.Error(), c.bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
