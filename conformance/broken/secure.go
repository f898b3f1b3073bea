package broken

import (
	"crypto/tls"
	"encoding/base64"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

// certHeader tells the server behind which certificate a client showed (RFC 9440).
const certHeader = "Client-Cert"

// Secure begins to answer clients that may show a certificate on a further
// listener, and gives the certificate, in PEM, by which they know the proxy. The
// server behind must believe what the proxy tells of theirs. Errors: those of the
// machine.
func (p *Proxy) Secure(l net.Listener) ([]byte, error) {
	authority, err := kit.NewClientAuthority()
	if err != nil {
		return nil, err
	}
	pair, err := authority.ServerPair("localhost")
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair([]byte(pair.Certificate), []byte(pair.Key))
	if err != nil {
		return nil, err
	}
	p.secure = &http.Server{Handler: p.server.Handler, ReadHeaderTimeout: time.Minute, TLSConfig: &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequestClientCert, SessionTicketsDisabled: true,
	}}
	go func() { _ = p.secure.ServeTLS(l, "", "") }() // ends with Close
	return []byte(authority.Certificate), nil
}

// handOn tells the certificate that a client showed, and nothing that it only
// says it has.
func (p *Proxy) handOn(r *httputil.ProxyRequest) {
	said := r.In.Header.Get(certHeader)
	r.Out.Header.Del(certHeader)
	switch f := p.current.Load(); {
	case r.In.TLS != nil && len(r.In.TLS.PeerCertificates) > 0:
		r.Out.Header.Set(certHeader, ":"+base64.StdEncoding.EncodeToString(r.In.TLS.PeerCertificates[0].Raw)+":")
	case f != nil && f.credulous && said != "":
		r.Out.Header.Set(certHeader, said)
	}
}

// certificateFaults break what depends on TLS client certificates (RFC 8705).
func (p *Proxy) certificateFaults() []Fault {
	// shown makes every request look as if its client had shown the certificate
	// that is registered for it, where a test holds.
	shown := func(when func(kit.Client) bool) func(*http.Request) {
		return func(r *http.Request) {
			var id string
			tokenForm(func(f url.Values) { id = f.Get("client_id") })(r)
			if c, ok := p.client(id); ok && c.Certificate != "" && when(c) {
				r.Header.Set(certHeader, c.Header())
			}
		}
	}
	return []Fault{
		{Name: "bound tokens are kept secret", response: at("/smart-configuration", object(drop("tls_client_certificate_bound_access_tokens"))), Rows: []string{"RFC8705 5"}},
		{Name: "ways of authentication are withheld", response: at("/smart-configuration", object(func(d map[string]any) {
			d["token_endpoint_auth_methods_supported"] = []string{"client_secret_basic", "private_key_jwt", kit.MethodTLS}
		})), Rows: []string{"RFC7591 2"}},
		{Name: "a certificate is asked for without TLS", response: at("/smart-configuration", object(func(d map[string]any) {
			if aliases, ok := d["mtls_endpoint_aliases"].(map[string]any); ok {
				aliases["revocation_endpoint"] = "http://localhost/revoke"
			}
		})), Rows: []string{"RFC8705 5"}},
		{Name: "any certificate with the name will do", request: shown(func(c kit.Client) bool { return c.AuthMethod == kit.MethodTLS }),
			Rows: []string{"RFC8705 2.1", "RFC9440 4"}},
		{Name: "any certificate will do for a registered one", request: shown(func(c kit.Client) bool { return c.AuthMethod == kit.MethodTLSOfSelf }),
			Rows: []string{"RFC8705 2.2"}},
		{Name: "the certificate of a refresh token is forgotten", request: shown(func(c kit.Client) bool { return c.Kind == "public" }),
			Rows: []string{"RFC8705 4", "RFC8705 7.1"}},
		{Name: "anybody may say which certificate was shown", credulous: true, Rows: []string{"RFC9440 4"}},
	}
}
