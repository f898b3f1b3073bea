package ldap

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	ldapv3 "github.com/go-ldap/ldap/v3"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

const (
	// maxPassword is the longest password that is sent, in bytes.
	maxPassword = 1024
	// rest is for how long a server is not asked that did not answer, while there are
	// others; retry is for how long none is asked after all of them failed.
	rest  = 30 * time.Second
	retry = 2 * time.Second
)

// Deps is what a Directory works with.
type Deps struct {
	Config
	// TLS says which certificates are believed; its ServerName is set for each server.
	TLS   *tls.Config
	Clock clock.Clock
	IDs   ids.Source
	Log   *slog.Logger
}

// Directory checks passwords at an LDAP directory. It is safe for concurrent use.
type Directory struct {
	conf  Config
	tls   *tls.Config
	clock clock.Clock
	ids   ids.Source
	log   *slog.Logger
	// slots bounds the questions that are asked at once.
	slots chan struct{}

	mu sync.Mutex
	// failed is when a server last did not answer, by its address.
	failed map[string]time.Time
}

// New makes a Directory. Config.Check must have found no fault.
func New(d Deps) *Directory {
	out := &Directory{
		conf: d.Config, tls: d.TLS, clock: d.Clock, ids: d.IDs, log: d.Log,
		slots: make(chan struct{}, d.Connections), failed: map[string]time.Time{},
	}
	if d.Plaintext {
		d.Log.Warn("UNSAFE: passwords of staff go to the directory without TLS (unsafe_ldap_plaintext)")
	}
	return out
}

var _ identity.Directory = (*Directory)(nil)

// Check implements identity.Directory. An empty or overlong password is refused
// without a question: to a directory a bind without a password is one of nobody, and
// succeeds (RFC 4513 §5.1.2).
func (d *Directory) Check(ctx context.Context, username, entry, password string) (identity.DirectoryAnswer, error) {
	if password == "" || len(password) > maxPassword {
		return identity.DirectoryAnswer{Refused: "password-wrong"}, d.Feign(ctx)
	}
	return d.ask(ctx, username, entry, password)
}

// Feign implements identity.Directory: it looks for a name that nobody has.
func (d *Directory) Feign(ctx context.Context) error {
	_, err := d.ask(ctx, d.ids.ID(), "", "")
	return err
}

// ask takes a slot and asks the servers in their order until one answers.
func (d *Directory) ask(ctx context.Context, username, entry, password string) (a identity.DirectoryAnswer, err error) {
	wait, end := context.WithTimeout(ctx, d.conf.Timeout)
	defer end()
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-wait.Done():
		return a, unreachable(errBusy)
	}
	servers := d.awake()
	err = errResting
	for _, server := range servers {
		if a, err = d.askOne(ctx, server, username, entry, password); err == nil {
			d.note(ctx, server, nil)
			return a, nil
		}
		if ctx.Err() != nil {
			// Whoever asked is gone: that says nothing about the server.
			break
		}
		d.note(ctx, server, err)
	}
	return identity.DirectoryAnswer{}, unreachable(err)
}

var (
	errBusy    = errors.New("too many questions at once")
	errResting = errors.New("no server answered a moment ago")
)

func unreachable(cause error) error {
	return errs.Wrap(cause, errs.Unavailable, "directory-unreachable", "The directory that knows the passwords of staff cannot be asked now.")
}

// awake gives the servers that did not fail a moment ago.
func (d *Directory) awake() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.clock.Now()
	rested := func(long time.Duration) (out []string) {
		for _, s := range d.conf.Servers {
			if at, failed := d.failed[s]; !failed || now.Sub(at) >= long {
				out = append(out, s)
			}
		}
		return out
	}
	if out := rested(rest); len(out) > 0 {
		return out
	}
	return rested(retry)
}

// note remembers whether a server answered, and tells when that changes.
func (d *Directory) note(ctx context.Context, server string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, was := d.failed[server]
	switch {
	case err != nil:
		d.failed[server] = d.clock.Now()
		if !was {
			d.log.ErrorContext(ctx, "directory not reached", "server", server, "err", err)
		}
	case was:
		delete(d.failed, server)
		d.log.InfoContext(ctx, "directory reached again", "server", server)
	}
}

// askOne asks one server. Errors: any that says that the server cannot be asked; it
// names no person.
func (d *Directory) askOne(ctx context.Context, server, username, entry, password string) (a identity.DirectoryAnswer, err error) {
	ctx, end := context.WithTimeout(ctx, d.conf.Timeout)
	defer end()
	conn, err := d.open(ctx, server)
	if err != nil {
		return a, err
	}
	defer func() { _ = conn.Close() }() // nothing waits for its end
	dn, a, err := d.find(conn, username)
	switch {
	case err != nil:
		return a, err
	case dn == "" || password == "":
		// As many round trips as for somebody who is there.
		return a, d.bindService(conn)
	}
	if a.Refused, err = bind(conn, dn, password); err == nil && a.Refused == "" && entry != "" && a.Entry != entry {
		// The name belongs to somebody else by now.
		a.Refused = "directory-entry-changed"
	}
	return a, err
}

// open connects to a server as the service account.
func (d *Directory) open(ctx context.Context, server string) (*ldapv3.Conn, error) {
	conn, err := d.dial(ctx, server)
	if err != nil {
		return nil, told("connect", err)
	}
	if err := d.bindService(conn); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func (d *Directory) bindService(conn *ldapv3.Conn) error {
	return told("bind of the service account", conn.Bind(d.conf.BindDN, d.conf.BindPassword))
}

// find looks for the one entry of a name; dn is "" when there is none, or more.
func (d *Directory) find(conn *ldapv3.Conn, username string) (dn string, a identity.DirectoryAnswer, err error) {
	// "1.1" asks for no attribute (RFC 4511 §4.5.1.8).
	attribute := "1.1"
	if d.conf.EntryID != "" {
		attribute = d.conf.EntryID
	}
	const atMost = 2
	found, err := conn.Search(ldapv3.NewSearchRequest(
		d.conf.BaseDN, ldapv3.ScopeWholeSubtree, ldapv3.NeverDerefAliases, atMost, int(d.conf.Timeout/time.Second)+1, false,
		d.conf.filter(username), []string{attribute}, nil,
	))
	several := ldapv3.IsErrorWithCode(err, ldapv3.LDAPResultSizeLimitExceeded)
	switch {
	case err != nil && !several:
		return "", a, told("search", err)
	case several || len(found.Entries) > 1:
		a.Refused = "directory-entry-ambiguous"
		return "", a, nil
	case len(found.Entries) == 0 || found.Entries[0].DN == "":
		a.Refused = "directory-entry-absent"
		return "", a, nil
	}
	one := found.Entries[0]
	if d.conf.EntryID != "" {
		id := one.GetRawAttributeValue(d.conf.EntryID)
		if len(id) == 0 {
			return "", a, errors.New("search: an entry has no attribute " + d.conf.EntryID + ", or the service account may not read it")
		}
		a.Entry = base64.RawURLEncoding.EncodeToString(id)
	}
	return one.DN, a, nil
}

// told makes an error that may be logged: what a server says may name people, so only
// the code of its answer stays.
func told(what string, err error) error {
	if err == nil {
		return nil
	}
	var said *ldapv3.Error
	if errors.As(err, &said) && said.ResultCode < ldapv3.ErrorNetwork {
		return errors.New(what + ": " + strings.ToLower(ldapv3.LDAPResultCodeMap[said.ResultCode]))
	}
	if errors.As(err, &said) && said.Err != nil {
		return errors.New(what + ": " + said.Err.Error())
	}
	return errors.New(what + ": " + err.Error())
}

// Try asks one of the servers for what a log-in needs: it is trusted, lets the service
// account in, and finds its way to the search base. Errors: any, which names no
// person.
func (d *Directory) Try(ctx context.Context, server string) error {
	ctx, end := context.WithTimeout(ctx, d.conf.Timeout)
	defer end()
	conn, err := d.open(ctx, server)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // nothing waits for its end
	base, err := conn.Search(ldapv3.NewSearchRequest(
		d.conf.BaseDN, ldapv3.ScopeBaseObject, ldapv3.NeverDerefAliases, 1, 0, false, "(objectClass=*)", []string{"1.1"}, nil,
	))
	if err == nil && len(base.Entries) != 1 {
		err = errors.New("the search base cannot be read")
	}
	if err == nil {
		_, _, err = d.find(conn, d.ids.ID())
		return err
	}
	return told("search base", err)
}
