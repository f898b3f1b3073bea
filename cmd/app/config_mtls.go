package app

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/errs"
)

// MTLSConfig says how TLS client certificates are seen (RFC 8705). Its zero
// value looks at none.
type MTLSConfig struct {
	// Listen is a second listener that asks its clients for a certificate: the
	// main one does not, because browsers would ask people.
	Listen string `name:"mtls-listen" key:"listen" help:"Address of a second TLS listener that asks clients for a certificate." placeholder:"HOST:PORT"`
	// PublicURL is how clients reach it, or the proxy that does so in its place.
	PublicURL string `name:"mtls-public-url" key:"public_url" help:"URL under which clients reach the listener for certificates, or the proxy in its place." placeholder:"URL"`
	// CAFile holds the authorities for tls_client_auth.
	CAFile string `name:"mtls-ca" key:"ca_file" help:"PEM file with the authorities whose client certificates are taken for tls_client_auth; empty offers only self_signed_tls_client_auth." placeholder:"FILE" type:"existingfile"`
	// Proxies are believed when they say which certificate a client showed them.
	Proxies []string `name:"client-cert-proxy" key:"proxies" help:"Network of a proxy whose header Client-Cert (RFC 9440) is believed; may be repeated. It must remove the header from what it is sent." placeholder:"CIDR"`
}

// Validate reports every fault of the settings.
func (c *MTLSConfig) Validate() error {
	var f config.Faults
	if _, _, err := net.SplitHostPort(c.Listen); c.Listen != "" && err != nil {
		f.Add("listen", "%q is not HOST:PORT", c.Listen)
	}
	if u, err := url.Parse(c.PublicURL); c.PublicURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" || strings.TrimSuffix(u.Path, "/") != "") {
		f.Add("public_url", "%q is not an https URL without a path", c.PublicURL)
	}
	for _, text := range c.Proxies {
		if _, err := netip.ParsePrefix(text); err != nil {
			f.Add("proxies", "%q is not a network such as 10.0.0.0/8", text)
		}
	}
	if c.CAFile != "" {
		if _, err := c.authorities(); err != nil {
			f.Add("ca_file", "%s", errs.As(err).Msg)
		}
	}
	return f.Err()
}
