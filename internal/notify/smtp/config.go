package smtp

import (
	"net"
	"net/mail"
	"net/url"
	"strconv"

	"github.com/mandate-health/mandate/internal/config"
)

// Config is the settings of the channel.
type Config struct {
	// Server takes the messages; empty sends none.
	Server string `name:"notify-smtp" key:"smtp" help:"Server that sends notices to people by e-mail: smtp://HOST:587 (STARTTLS is demanded) or smtps://HOST:465." placeholder:"URL"`
	// From is the address of the sender.
	From string `name:"notify-smtp-from" key:"smtp_from" help:"Address that notices come from; a name before it may show in every mailbox." placeholder:"ADDRESS"`
	// User and Password are those of the submission; empty logs in nowhere.
	User     string `name:"notify-smtp-user" key:"smtp_user" help:"User of that server; left out: none is needed." placeholder:"NAME"`
	Password string `name:"notify-smtp-password" key:"smtp_password" secret:"whole" help:"Password of that user." placeholder:"TEXT"`
	// CAFile has the authorities of its certificate; empty: the machine's.
	CAFile string `name:"notify-smtp-ca" key:"smtp_ca_file" help:"PEM file with that server's authorities; empty means the machine's." placeholder:"FILE" type:"existingfile"`
}

// Validate reports every fault of the settings.
func (c *Config) Validate() error {
	var f config.Faults
	if c.Server == "" {
		return f.Err()
	}
	if _, err := c.place(); err != nil {
		f.Add("smtp", "this is not smtp://HOST:587 or smtps://HOST:465; user and password are settings of their own")
	}
	if _, err := mail.ParseAddress(c.From); err != nil {
		f.Add("smtp_from", "the address of a sender is needed, such as notices@hospital.example")
	}
	if (c.User == "") != (c.Password == "") {
		f.Add("smtp_user", "smtp_user and smtp_password belong together")
	}
	return f.Err()
}

// place is where and how the server is reached.
type place struct {
	host string
	port int
	// implicit TLS from the first byte; otherwise STARTTLS.
	implicit bool
}

// place reads Server.
func (c *Config) place() (p place, err error) {
	u, err := url.Parse(c.Server)
	if err != nil {
		return p, err
	}
	p = place{host: u.Hostname(), implicit: u.Scheme == "smtps", port: 587}
	if p.implicit {
		p.port = 465
	}
	if u.Port() != "" {
		p.port, err = strconv.Atoi(u.Port())
	}
	if err != nil || p.host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || !p.implicit && u.Scheme != "smtp" {
		return p, &net.AddrError{Err: "not a submission server", Addr: p.host}
	}
	return p, nil
}
