package postgres

import (
	"crypto/tls"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
)

// unverified names the first host that would be reached over a network without
// TLS, or without knowing that it is the right one; "" when there is none. A
// mode that falls back to plain text is as bad as plain text: who is in the
// middle chooses it.
func unverified(c *pgx.ConnConfig) string {
	if !local(c.Host) && !verifies(c.TLSConfig) {
		return c.Host
	}
	for _, f := range c.Fallbacks {
		if !local(f.Host) && !verifies(f.TLSConfig) {
			return f.Host
		}
	}
	return ""
}

// local reports whether a host is a socket or this machine.
func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") ||
		ip != nil && ip.IsLoopback()
}

// verifies reports whether the certificate is checked: by name (verify-full),
// or at least against the given authority (verify-ca), which pgx does by hand.
func verifies(c *tls.Config) bool {
	return c != nil && (!c.InsecureSkipVerify || c.VerifyPeerCertificate != nil || c.VerifyConnection != nil)
}
