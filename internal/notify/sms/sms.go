package sms

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/internal/notify/webhook"
)

// timeout bounds one delivery: codes live for minutes.
const timeout = 10 * time.Second

// Message is what a person is sent: a number in E.164 and plain text without PHI.
type Message struct{ To, Text string }

// Deps is what the channel is made of. All are required.
type Deps struct {
	Config Config
	// TLS says how the gateway is verified.
	TLS *tls.Config
	// Message gives what to send for a notice. Errors: errs.Invalid when it is for
	// nobody; any other is tried again later.
	Message func(ctx context.Context, n outbox.Notice) (Message, error)
	Clock   clock.Clock
}

// Channel sends text messages. It is safe for concurrent use.
type Channel struct {
	d      Deps
	client *http.Client
}

var _ outbox.Channel = (*Channel)(nil)

// New gives the channel of valid settings.
func New(d Deps) *Channel {
	return &Channel{d: d, client: &http.Client{
		Timeout: timeout, Transport: &http.Transport{TLSClientConfig: d.TLS, Proxy: http.ProxyFromEnvironment},
		// Credential and text are for this gateway only.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Name gives "sms".
func (c *Channel) Name() string { return "sms" }

// Deliver hands one message to the gateway. Errors: errs.Invalid when there is nobody to
// send it to, or the gateway will never take it (400, 410, 422); errs.Upstream for any
// other answer than a 2xx (sms-failed) and for none (sms-unreachable, sms-untrusted).
func (c *Channel) Deliver(ctx context.Context, n outbox.Notice) error {
	m, err := c.d.Message(ctx, n)
	if err != nil {
		return err
	}
	req, err := c.request(ctx, n, m)
	if err != nil {
		return err
	}
	res, err := c.client.Do(req)
	if err != nil {
		return unreached(err)
	}
	defer res.Body.Close()
	switch code := res.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusBadRequest, code == http.StatusGone, code == http.StatusUnprocessableEntity:
		return errs.New(errs.Invalid, "sms-refused", "The gateway of text messages refuses a message for good ("+strconv.Itoa(code)+").")
	}
	return errs.New(errs.Upstream, "sms-failed", "The gateway of text messages answers "+strconv.Itoa(res.StatusCode)+".")
}

// request writes the document: the number, the text and the fixed fields.
func (c *Channel) request(ctx context.Context, n outbox.Notice, m Message) (*http.Request, error) {
	cfg := &c.d.Config
	doc := map[string]string{cfg.to(): m.To, cfg.text(): m.Text}
	for _, more := range cfg.More {
		name, value, _ := strings.Cut(more, "=")
		doc[name] = value
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "notice-encoding", "The notice has no JSON form.")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, cfg.Gateway, bytes.NewReader(body))
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "sms-settings", "The URL of the gateway of text messages cannot be used.")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", n.ID)
	switch {
	case cfg.User != "":
		req.SetBasicAuth(cfg.User, cfg.Token)
	case cfg.Token != "":
		req.Header.Set("Authorization", "Bearer "+cfg.Token)
	}
	if cfg.Secret != "" {
		req.Header.Set(webhook.SignatureHeader, webhook.Sign(cfg.Secret, c.d.Clock.Now(), body))
	}
	return req, nil
}

// unreached says why there is no answer. What the transport says may name the URL with
// what is secret in it, so it is not kept.
func unreached(err error) error {
	fail := func(code, msg string) error {
		return errs.Wrap(errors.New("sms: no answer"), errs.Upstream, code, "The gateway of text messages "+msg)
	}
	var (
		stranger x509.UnknownAuthorityError
		other    x509.HostnameError
		invalid  x509.CertificateInvalidError
		refused  *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &stranger):
		return fail("sms-untrusted", "has a certificate of an authority that is not trusted here.")
	case errors.As(err, &other):
		return fail("sms-untrusted", "has a certificate for another host name.")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fail("sms-untrusted", "has a certificate that is not valid now.")
	case errors.As(err, &refused):
		return fail("sms-untrusted", "has a certificate that does not hold.")
	case errors.Is(err, http.ErrSchemeMismatch):
		return fail("sms-untrusted", "does not speak TLS at this address.")
	}
	return fail("sms-unreachable", "cannot be reached.")
}

// Reach asks the gateway what it takes (OPTIONS), without credential or message. Most
// answers will do, a refusal too, for there was no credential. Errors: errs.Upstream with
// code sms-unreachable or sms-untrusted, or sms-answer for one that takes no messages
// here: a redirect, 404, 410, a fault of its own.
func (c *Channel) Reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodOptions, c.d.Config.Gateway, nil)
	if err != nil {
		return errs.Wrap(err, errs.Invalid, "sms-settings", "The URL of the gateway of text messages cannot be used.")
	}
	res, err := c.client.Do(req)
	if err != nil {
		return unreached(err)
	}
	defer res.Body.Close()
	wrong := func(why string) error {
		return errs.New(errs.Upstream, "sms-answer", "The gateway of text messages answers "+strconv.Itoa(res.StatusCode)+": "+why)
	}
	switch code := res.StatusCode; {
	case code >= 300 && code < 400:
		return wrong("it leads elsewhere, which is not followed; name the address that it leads to.")
	case code == http.StatusNotFound, code == http.StatusGone:
		return wrong("there is nothing at this address.")
	case code >= 500 && code != http.StatusNotImplemented:
		return wrong("it has a fault of its own.")
	}
	return nil
}
