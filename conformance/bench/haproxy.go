package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// errAbsent says that what a workload is compared with is not on this machine.
var errAbsent = errors.New("not measured")

// checks is what HAProxy is told: to verify the signature of each token with the
// server's key and to pass the request on to the same upstream. The listener is
// inherited, so that no port has to be guessed.
const checks = `global
    maxconn 4096
defaults
    mode http
    http-reuse always
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend front
    bind fd@3
    http-request set-var(txn.bearer) http_auth_bearer
    http-request deny deny_status 401 unless { var(txn.bearer),jwt_header_query('$.alg') -m str ES256 }
    http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify("ES256","%s") 1 }
    http-request del-header authorization
    default_backend upstream
backend upstream
    server upstream %s
`

// startHAProxy starts HAProxy before the upstream. Errors: errAbsent where it is
// not installed, and what went wrong.
func (r *rig) startHAProxy(ctx context.Context) (*side, error) {
	program, err := exec.LookPath("haproxy")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/haproxy"); err != nil {
			return nil, fmt.Errorf("%w: no program haproxy", errAbsent)
		}
	}
	key, err := r.tokenKey()
	if err != nil {
		return nil, err
	}
	pub, conf := filepath.Join(r.dir, "token.pem"), filepath.Join(r.dir, "haproxy.cfg")
	if err := os.WriteFile(pub, key, 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(conf, fmt.Appendf(nil, checks, pub, r.upstream.addr), 0o600); err != nil {
		return nil, err
	}
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	defer func() { _ = l.Close() }()
	f, err := l.File()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c := newChild(ctx, program, "-db", "-f", conf)
	c.cmd.ExtraFiles = []*os.File{f}
	if err := c.start(); err != nil {
		return nil, err
	}
	r.children = append(r.children, c)
	s := &side{name: "haproxy", addr: l.Addr().String(), host: l.Addr().String(), pid: c.pid(), fhir: r.upstream.fhir, bearer: true}
	return s, c.until(ctx, func() bool { return r.refuses(s) })
}

// refuses reports whether a request with a token that nobody signed is refused:
// who lets it pass is not what is to be measured.
func (r *rig) refuses(s *side) bool {
	c := &conn{addr: s.addr, clock: r.clock}
	defer c.close()
	forged := "Authorization: Bearer " + es256Head + ".e30." + strings.Repeat("A", 86)
	got, err := c.send(request{method: http.MethodGet, path: s.fhir + "/metadata", host: s.host, header: []string{forged}}.bytes())
	return err == nil && got.status == http.StatusUnauthorized
}

// tokenKey gives the key of the server's access tokens as PEM.
func (r *rig) tokenKey() ([]byte, error) {
	tokens, err := r.granted(r.mandate, appID, 1, "access_token")
	if err != nil {
		return nil, err
	}
	var head struct{ KID string }
	first, _, _ := strings.Cut(tokens[0], ".")
	raw, err := b64.DecodeString(first)
	if err == nil {
		err = json.Unmarshal(raw, &head)
	}
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []struct{ KID, X, Y string }
	}
	if err := r.told(r.mandate, r.mandate.documents[len(r.mandate.documents)-1], &set); err != nil {
		return nil, err
	}
	for _, k := range set.Keys {
		if k.KID == head.KID {
			return pemOf(k.X, k.Y)
		}
	}
	return nil, fmt.Errorf("the key set has no key %q", head.KID)
}

func pemOf(x, y string) ([]byte, error) {
	point := []byte{4} // not compressed (SEC 1 §2.3.3)
	for _, part := range []string{x, y} {
		raw, err := b64.DecodeString(part)
		if err != nil {
			return nil, err
		}
		point = append(point, raw...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
}
