package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/fhir"
)

// Config says how one process runs. Its zero value is not valid; Validate
// names every fault at once.
type Config struct {
	// Listen is the TCP address of the main listener, such as
	// 127.0.0.1:8080; port 0 takes a free one.
	Listen string
	// PublicURL is the URL under which browsers and apps reach the main
	// listener; empty derives it from Listen, with localhost for loopback.
	PublicURL string
	// TLS serves HTTPS under a self-made authority (development only).
	TLS bool
	// CertFile and KeyFile hold the PEM certificate chain and key.
	CertFile string
	KeyFile  string
	// Data is the folder of the embedded store; Database a PostgreSQL URL.
	// Exactly one is used: Database wins.
	Data     string
	Database string
	// Reset empties the data folder first (development only).
	Reset bool
	// Upstream is the FHIR base to protect; empty starts the sandbox
	// (development only).
	Upstream string
	// ReadyFile is written when everything listens (development only).
	ReadyFile string
	// ClientFiles hold JSON lists of clients to register at start.
	ClientFiles []string
	// ClockOffset is a file with a Go duration by which the clock is wrong,
	// read each second. Unsafe outside tests.
	ClockOffset string
	// HelpPhone is printed on every page.
	HelpPhone string
	// Organization is the name of who runs this server, as people know it;
	// OrganizationRef its FHIR reference, such as Organization/1, which
	// consents name as custodian.
	Organization    string
	OrganizationRef string
	// TrustedProxies are networks whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// Dev adds the sandbox, demo people and clients, and the test routes.
	Dev bool
	// Out receives what a human reads at start; Log everything else.
	Out io.Writer
	Log *slog.Logger
}

// Validate reports every fault of the configuration.
func (c *Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		fault("--listen %q is not HOST:PORT", c.Listen)
	}
	if c.PublicURL != "" {
		if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.TrimSuffix(u.Path, "/") != "" {
			fault("--public-url %q is not an http or https URL without a path", c.PublicURL)
		}
	}
	if c.Data == "" && c.Database == "" {
		fault("one of --data and --database is needed")
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		fault("--cert and --key belong together")
	}
	if _, ok := fhir.ParseReference(c.OrganizationRef); c.OrganizationRef != "" && !ok {
		fault("--organization-ref %q is not a reference such as Organization/1", c.OrganizationRef)
	}
	if !c.Dev {
		c.validateServe(fault)
	}
	return errors.Join(faults...)
}

// validateServe holds what production asks for beyond development.
func (c *Config) validateServe(fault func(string, ...any)) {
	if c.Upstream == "" {
		fault("--upstream is needed: the base URL of the FHIR server to protect")
	}
	if c.TLS || c.Reset || c.ReadyFile != "" {
		fault("--tls, --reset and --ready-file are for development")
	}
	if !strings.HasPrefix(c.PublicURL, "https://") {
		fault("--public-url must be the https URL that browsers use")
	}
}

// publicURL gives the URL of a listener for people: loopback addresses are
// called localhost, because browsers refuse passkeys on IP addresses (D15).
func publicURL(scheme string, addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return scheme + "://" + addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsLoopback() || ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
