package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/constraint"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
)

// on reports whether certificates are looked at.
func (c *MTLSConfig) on() bool { return c.Listen != "" || len(c.Proxies) > 0 }

// methods are the ways of authentication that are offered.
func (c *MTLSConfig) methods() []string {
	switch {
	case !c.on():
		return nil
	case c.CAFile == "":
		return []string{oauth.MethodTLSOfSelf}
	}
	return []string{oauth.MethodTLS, oauth.MethodTLSOfSelf}
}

// authorities reads the file of authorities, nil where there is none.
func (c *MTLSConfig) authorities() (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil //nolint:nilnil // no authority is a setting
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "tls-files", "The file of certificate authorities "+c.CAFile+" cannot be read.")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errs.New(errs.Invalid, "tls-files", "The file "+c.CAFile+" holds no certificate.")
	}
	return pool, nil
}

// asksForCertificate marks requests that came to the second listener.
type asksForCertificate struct{}

// openMTLS opens the listener that asks for certificates, and gives nil where
// there is none. A development server with TLS has one.
func (a *App) openMTLS(ctx context.Context, main net.Addr) (l net.Listener, err error) {
	m := &a.cfg.MTLS
	switch {
	case m.Listen != "" && a.tls == nil:
		return nil, fmt.Errorf("--mtls-listen needs TLS of this server: --cert and --key, or dev --tls. Behind a proxy that ends TLS use --client-cert-proxy")
	case m.Listen != "":
		if l, err = new(net.ListenConfig).Listen(ctx, "tcp", m.Listen); err != nil {
			return nil, fmt.Errorf("cannot listen on %s: %w. Choose another with --mtls-listen", m.Listen, err)
		}
	case a.cfg.Dev && a.tls != nil:
		if l, err = beside(ctx, main, 3); err != nil {
			return nil, err
		}
		m.Listen = l.Addr().String()
	default:
		return nil, nil //nolint:nilnil // no listener is a setting
	}
	if m.PublicURL == "" {
		m.PublicURL = m.address(a.cfg.PublicURL, l.Addr())
	}
	return l, nil
}

// shut closes a listener, if there is one, that no server may have taken over.
func shut(l net.Listener) {
	if l != nil {
		_ = l.Close()
	}
}

// address gives the URL of the second listener: on the host by which people
// reach the main one, where that is known.
func (c *MTLSConfig) address(public string, at net.Addr) string {
	derived := publicURL("https", at)
	u, err := url.Parse(public)
	if public == "" || err != nil {
		return derived
	}
	own, err := url.Parse(derived)
	if err != nil {
		return derived
	}
	return "https://" + net.JoinHostPort(u.Hostname(), own.Port())
}

// serveMTLS answers on the listener as on the main one.
func (a *App) serveMTLS(l net.Listener, servers *group) {
	if l == nil {
		return
	}
	// Any certificate will do here: whose it is, the client's registration says.
	// A resumed session would not show it again, so there are none.
	conf := a.tls.TLS().Clone()
	conf.ClientAuth, conf.SessionTicketsDisabled = tls.RequestClientCert, true
	next := a.handler()
	servers.start(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), asksForCertificate{}, true)))
	}), conf)
}

// certificate gives the certificate that the client of a request has shown: to
// us, or to a proxy that is believed. What others write into the header counts
// for nothing.
func (a *App) certificate(r *http.Request) *clientauth.Certificate {
	if a.cfg.MTLS.believes(r) {
		return constraint.FromHeader(r.Header.Values("Client-Cert"), r.Header.Values("Client-Cert-Chain"))
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return &clientauth.Certificate{Leaf: r.TLS.PeerCertificates[0], Chain: r.TLS.PeerCertificates[1:]}
}

// believes reports whether a request comes straight from a proxy that says
// which certificate it was shown.
func (c *MTLSConfig) believes(r *http.Request) bool {
	if len(c.Proxies) == 0 {
		return false
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(c.Proxies, func(text string) bool {
		p, err := netip.ParsePrefix(text)
		return err == nil && p.Contains(peer.Addr().Unmap().WithZone(""))
	})
}

// root gives the public URL under which a request was made.
func (a *App) root(r *http.Request) string {
	asked, _ := r.Context().Value(asksForCertificate{}).(bool)
	if !asked && a.cfg.MTLS.believes(r) {
		asked = len(r.Header.Values("Client-Cert")) > 0
	}
	if asked && a.cfg.MTLS.PublicURL != "" {
		return strings.TrimSuffix(a.cfg.MTLS.PublicURL, "/")
	}
	return a.public
}

// requestURL gives the address of a request as its client knows it, without the
// query: the public URL with the path that was sent, before it was led to its
// tenant.
func (a *App) requestURL(r *http.Request) string {
	sent, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		sent = r.URL
	}
	return a.root(r) + sent.EscapedPath()
}
