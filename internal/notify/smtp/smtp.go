package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
)

// timeout bounds one delivery.
const timeout = 15 * time.Second

// Letter is what a person is sent.
type Letter struct {
	// To is an address (RFC 5322 addr-spec).
	To string
	// Copies are more addresses of the same person; none is told of another.
	Copies []string
	// Subject and Text are plain text. They name no patient, no app and no act.
	Subject, Text string
}

// Deps is what the channel is made of. All are required.
type Deps struct {
	Config Config
	// TLS says how the server is verified; its ServerName is filled in.
	TLS *tls.Config
	// Letter gives what to send for a notice. Errors: errs.Invalid when there
	// is nobody to send it to; any other is tried again later.
	Letter func(ctx context.Context, n outbox.Notice) (Letter, error)
	Clock  clock.Clock
}

// Channel sends notices. It is safe for concurrent use.
type Channel struct {
	d      Deps
	from   *mail.Address
	domain string
	place  place
}

var _ outbox.Channel = (*Channel)(nil)

// New gives the channel of valid settings. Errors: errs.Invalid with code
// smtp-settings.
func New(d Deps) (*Channel, error) {
	from, err := mail.ParseAddress(d.Config.From)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "smtp-settings", "The address of the sender of notices cannot be used.")
	}
	p, err := d.Config.place()
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "smtp-settings", "The server for notices cannot be used.")
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	return &Channel{d: d, from: from, domain: domain, place: p}, nil
}

// Name gives "smtp".
func (c *Channel) Name() string { return "smtp" }

// Deliver sends one message. Errors: errs.Invalid when there is nobody to send
// it to (notice-no-address) or the server refuses the address for good
// (smtp-recipient-refused); errs.Upstream for whatever may pass.
func (c *Channel) Deliver(ctx context.Context, n outbox.Notice) error {
	letter, err := c.d.Letter(ctx, n)
	if err != nil {
		return err
	}
	message, err := c.message(n, letter)
	if err != nil {
		return errs.Wrap(err, errs.Invalid, "notice-no-address", "The address of the person cannot be used.")
	}
	// The library leaves the connection open when greeting or log-in fail.
	var way net.Conn
	defer func() {
		if way != nil {
			_ = way.Close() // closed already after a good end
		}
	}()
	client, err := gomail.NewClient(c.place.host, append(c.options(), gomail.WithDialContextFunc(
		func(ctx context.Context, network, address string) (_ net.Conn, err error) {
			way, err = c.dial(ctx, network, address)
			return way, err
		}))...)
	if err != nil {
		return errs.Wrap(err, errs.Upstream, "smtp-failed", "The mail server did not take a notice.")
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err = client.DialAndSendWithContext(ctx, message); err == nil || message.IsDelivered() {
		// What went wrong after the server took it is no reason to send twice.
		return nil
	}
	var refused *gomail.SendError
	if errors.As(err, &refused) && refused.Reason == gomail.ErrSMTPRcptTo && refused.ErrorCode() >= 500 {
		return errs.Wrap(cause(err), errs.Invalid, "smtp-recipient-refused", "The mail server refuses the address of the person for good.")
	}
	return errs.Wrap(cause(err), errs.Upstream, "smtp-failed", "The mail server did not take a notice.")
}

// cause tells what went wrong without the addresses that a server repeats.
func cause(err error) error {
	var refused *gomail.SendError
	if errors.As(err, &refused) {
		return errors.New("smtp: " + refused.Reason.String())
	}
	return errors.New("smtp: not connected or not logged in")
}

// dial reaches the server, under TLS where it speaks it from the first byte.
func (c *Channel) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if c.place.implicit {
		return (&tls.Dialer{Config: c.verified()}).DialContext(ctx, network, address)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

func (c *Channel) verified() *tls.Config {
	out := c.d.TLS.Clone()
	out.ServerName = c.place.host
	return out
}

func (c *Channel) options() []gomail.Option {
	out := []gomail.Option{
		gomail.WithPort(c.place.port), gomail.WithTimeout(timeout), gomail.WithTLSConfig(c.verified()),
		gomail.WithTLSPolicy(gomail.TLSMandatory), gomail.WithHELO(c.domain),
	}
	if c.place.implicit {
		// TLS is spoken already, by dial; this makes the library notice.
		out = append(out, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	}
	if c.d.Config.User != "" {
		out = append(out, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(c.d.Config.User), gomail.WithPassword(c.d.Config.Password))
	}
	return out
}

// message writes the e-mail. Nobody shall answer it, and no holiday notice.
func (c *Channel) message(n outbox.Notice, letter Letter) (*gomail.Msg, error) {
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(c.from)
	if err := m.To(letter.To); err != nil {
		return nil, err
	}
	if len(letter.Copies) > 0 {
		if err := m.Bcc(letter.Copies...); err != nil {
			return nil, err
		}
	}
	m.Subject(letter.Subject)
	m.SetDateWithValue(c.d.Clock.Now())
	m.SetMessageIDWithValue(n.ID + "@" + c.domain)
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetBodyString(gomail.TypeTextPlain, letter.Text)
	return m, nil
}
