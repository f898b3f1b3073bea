package sms

import (
	"cmp"
	"net"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/internal/config"
)

// minSecret is the shortest secret, in bytes (NIST SP 800-107).
const minSecret = 32

// Config is the settings of the gateway.
type Config struct {
	// Gateway takes the messages; empty sends none.
	Gateway string `name:"notify-sms" key:"sms" help:"URL of the gateway that takes text messages (SMS) as JSON by POST; without it no codes go by SMS." placeholder:"URL"`
	// Token proves who sends: as a bearer token, or as the password of User.
	Token string `name:"notify-sms-token" key:"sms_token" secret:"whole" help:"Credential at that gateway: a bearer token, or the password of notify.sms_user." placeholder:"TEXT"`
	User  string `name:"notify-sms-user" key:"sms_user" help:"User at that gateway, where it asks for a user and a password (HTTP Basic)." placeholder:"NAME"`
	// Secret signs the messages.
	Secret string `name:"notify-sms-secret" key:"sms_secret" secret:"whole" help:"Secret of at least 32 characters that signs each message, as with the webhook." placeholder:"TEXT"`
	// To and Text name the fields of the document, More are fields of fixed text.
	To   string   `name:"notify-sms-to-field" key:"sms_to_field" default:"to" help:"Name of the JSON field with the number (+ and digits)." placeholder:"NAME"`
	Text string   `name:"notify-sms-text-field" key:"sms_text_field" default:"text" help:"Name of the JSON field with the text." placeholder:"NAME"`
	More []string `name:"notify-sms-field" key:"sms_fields" help:"More JSON fields of fixed text, NAME=VALUE, such as from=Lakeside; may be repeated." placeholder:"NAME=VALUE"`
	// CAFile has the authorities of its certificate; empty: the machine's.
	CAFile string `name:"notify-sms-ca" key:"sms_ca_file" help:"PEM file with that gateway's authorities; empty means the machine's." placeholder:"FILE" type:"existingfile"`
}

// Validate reports every fault of the settings.
func (c *Config) Validate() error {
	var f config.Faults
	if c.Gateway == "" {
		return f.Err()
	}
	u, err := url.Parse(c.Gateway)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		f.Add("sms", "this is not an https URL; plain http is for this machine only, and credentials are settings of their own")
	}
	if c.Token == "" && c.Secret == "" {
		f.Add("sms_token", "sms_token or sms_secret is needed, for the gateway to know who sends")
	}
	if c.Secret != "" && len(c.Secret) < minSecret {
		f.Add("sms_secret", "a secret of at least %d characters is needed", minSecret)
	}
	if c.User != "" && c.Token == "" {
		f.Add("sms_user", "sms_user and sms_token belong together")
	}
	names := map[string]bool{"": true, c.to(): true}
	if c.to() == c.text() {
		f.Add("sms_text_field", "the number and the text need fields of their own")
	}
	names[c.text()] = true
	for _, more := range c.More {
		name, _, ok := strings.Cut(more, "=")
		if !ok || names[name] {
			f.Add("sms_fields", "%q is not NAME=VALUE, or the name is taken", name)
		}
		names[name] = true
	}
	return f.Err()
}

// to and text give the names of the fields; settings made in code may leave them out.
func (c *Config) to() string   { return cmp.Or(c.To, "to") }
func (c *Config) text() string { return cmp.Or(c.Text, "text") }

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
