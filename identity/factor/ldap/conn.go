package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	ldapv3 "github.com/go-ldap/ldap/v3"
)

// maxAnswers bounds what one connection reads, in bytes: certificates, one entry and
// some refusals need a tenth of it.
const maxAnswers = 256 << 10

var errTooLong = errors.New("the directory said more than it may")

// bounded is a connection that reads so much and no more.
type bounded struct {
	net.Conn
	left int
}

// Read reads within the bound.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// dial opens a connection to a server whose certificate was verified. It ends with
// ctx, whatever goes on by then.
func (d *Directory) dial(ctx context.Context, server string) (*ldapv3.Conn, error) {
	address, implicit, _ := place(server) // Check has read it before
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		if err := raw.SetDeadline(end); err != nil {
			_ = raw.Close()
			return nil, err
		}
	}
	var way net.Conn = &bounded{raw, maxAnswers}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	trust := d.tls.Clone()
	trust.ServerName = host
	if implicit {
		secured := tls.Client(way, trust)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, err
		}
		way = secured
	}
	conn := ldapv3.NewConn(way, implicit)
	conn.SetTimeout(d.conf.Timeout)
	conn.Start()
	if implicit || d.conf.Plaintext {
		return conn, nil
	}
	if err := conn.StartTLS(trust); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}
