package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
)

const (
	// SignatureHeader holds "t=SECONDS,v1=HEX": the HMAC-SHA-256, under the
	// shared secret, of the seconds, a dot and the body. The receiver refuses
	// old seconds.
	SignatureHeader = "Mandate-Signature"
	// minSecret is the shortest secret, in bytes (NIST SP 800-107).
	minSecret = 32
	timeout   = 10 * time.Second
)

// Config is the settings of the channel.
type Config struct {
	// URL takes the notices; empty leaves them waiting in the store.
	URL string `name:"notify-webhook" key:"webhook" help:"URL that takes each notice to a person as a signed POST; without it notices wait in the store." placeholder:"URL"`
	// Secret signs them.
	Secret string `name:"notify-webhook-secret" key:"webhook_secret" secret:"whole" help:"Secret of at least 32 characters that signs the notices." placeholder:"TEXT"`
}

// Validate reports every fault of the settings.
func (c *Config) Validate() error {
	var f config.Faults
	if c.URL == "" {
		return f.Err()
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		f.Add("webhook", "this is not an https URL; plain http is for this machine only")
	}
	if len(c.Secret) < minSecret {
		f.Add("webhook_secret", "a secret of at least %d characters is needed, for the receiver to know who sends", minSecret)
	}
	return f.Err()
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Channel posts notices.
type Channel struct {
	config Config
	clock  clock.Clock
	client *http.Client
}

var _ outbox.Channel = (*Channel)(nil)

// New gives the channel of valid settings.
func New(c Config, clk clock.Clock) *Channel {
	return &Channel{config: c, clock: clk, client: &http.Client{
		Timeout: timeout,
		// The signature is for this receiver only.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Name gives "webhook".
func (c *Channel) Name() string { return "webhook" }

// Deliver posts one notice. Errors: errs.Invalid when the receiver says that
// it will never take it (410 Gone); errs.Upstream for any other answer than a
// 2xx and for none.
func (c *Channel) Deliver(ctx context.Context, n outbox.Notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return errs.Wrap(err, errs.Invalid, "notice-encoding", "The notice has no JSON form.")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.URL, bytes.NewReader(body))
	if err != nil {
		return errs.Wrap(err, errs.Invalid, "webhook-url", "The URL of the webhook cannot be used.")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", n.ID)
	req.Header.Set(SignatureHeader, Sign(c.config.Secret, c.clock.Now(), body))
	res, err := c.client.Do(req)
	if err != nil {
		return errs.Wrap(err, errs.Upstream, "webhook-unreachable", "The receiver of notices cannot be reached.")
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return nil
	case res.StatusCode == http.StatusGone:
		return errs.New(errs.Invalid, "webhook-gone", "The receiver of notices refuses this one for good.")
	}
	return errs.New(errs.Upstream, "webhook-refused", "The receiver of notices answers "+strconv.Itoa(res.StatusCode)+".")
}

// Sign gives the value of the signature header for a body sent at t.
func Sign(secret string, t time.Time, body []byte) string {
	seconds := strconv.FormatInt(t.Unix(), 10)
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(seconds + "."))
	m.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(m.Sum(nil))
}
