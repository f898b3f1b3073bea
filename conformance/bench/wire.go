package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
)

// answerLimit is how long one answer may take.
const answerLimit = 60 * time.Second

// conn is one keep-alive HTTP/1.1 connection that sends prepared bytes. It is
// far cheaper than an http.Client, which matters because driver and server
// share the machine.
type conn struct {
	addr  string
	clock clock.Clock
	net   net.Conn
	in    *bufio.Reader
	body  bytes.Buffer
}

// answer is one response. Body is valid until the next request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (c *conn) close() {
	if c.net != nil {
		_ = c.net.Close()
		c.net = nil
	}
}

// send sends a request and reads the whole answer. After an error the next
// request opens a new connection; nothing is sent twice.
func (c *conn) send(request []byte) (answer, error) {
	if c.net == nil {
		// The deadline ends an exchange: a context per request would cost what is
		// to be measured.
		n, err := (&net.Dialer{Timeout: answerLimit}).DialContext(context.Background(), "tcp", c.addr)
		if err != nil {
			return answer{}, err
		}
		c.net, c.in = n, bufio.NewReaderSize(n, 32<<10)
	}
	a, err := c.exchange(request)
	if err != nil {
		c.close()
	}
	return a, err
}

func (c *conn) exchange(request []byte) (answer, error) {
	if err := c.net.SetDeadline(c.clock.Now().Add(answerLimit)); err != nil {
		return answer{}, err
	}
	if _, err := c.net.Write(request); err != nil {
		return answer{}, err
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	c.body.Reset()
	if _, err := c.body.ReadFrom(res.Body); err != nil {
		return answer{}, err
	}
	if res.Close {
		c.close()
	}
	return answer{res.StatusCode, res.Header, c.body.Bytes()}, nil
}

// request is one HTTP request before it is written.
type request struct {
	method, path, host string
	// header holds whole lines without their end.
	header []string
	// form is the body, already encoded.
	form string
}

// bytes gives the request as it goes over the wire.
func (r request) bytes() []byte {
	var b bytes.Buffer
	b.Grow(256 + len(r.path) + len(r.form))
	b.WriteString(r.method + " " + r.path + " HTTP/1.1\r\nHost: " + r.host + "\r\n")
	for _, line := range r.header {
		b.WriteString(line + "\r\n")
	}
	if r.method == http.MethodPost {
		b.WriteString("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " + strconv.Itoa(len(r.form)) + "\r\n")
	}
	b.WriteString("\r\n" + r.form)
	return b.Bytes()
}

// agent is a person's browser: it keeps cookies and sends forms from the site
// itself.
type agent struct {
	conn    *conn
	origin  string
	host    string
	cookies map[string]string
}

func newAgent(s *side, clk clock.Clock) *agent {
	return &agent{
		conn: &conn{addr: s.addr, clock: clk}, origin: cmp.Or(s.scheme, "http") + "://" + s.host, host: s.host, cookies: map[string]string{},
	}
}

// write gives the bytes of a request with the cookies of now.
func (a *agent) write(method, path, form string) []byte {
	r := request{method: method, path: path, host: a.host, form: form, header: []string{"Accept: text/html"}}
	if len(a.cookies) > 0 {
		var pairs []string
		for name, value := range a.cookies {
			pairs = append(pairs, name+"="+value)
		}
		r.header = append(r.header, "Cookie: "+strings.Join(pairs, "; "))
	}
	if method == http.MethodPost {
		r.header = append(r.header, "Origin: "+a.origin, "Sec-Fetch-Site: same-origin")
	}
	return r.bytes()
}

func (a *agent) send(method, path, form string) (answer, error) {
	got, err := a.conn.send(a.write(method, path, form))
	if err != nil {
		return got, err
	}
	for _, line := range got.header["Set-Cookie"] {
		if c, err := http.ParseSetCookie(line); err == nil {
			a.cookies[c.Name] = c.Value
		}
	}
	return got, nil
}

// open asks for a page and follows redirects inside the site. It gives the path
// where it ended.
func (a *agent) open(path string) (answer, string, error) {
	for range 10 {
		got, err := a.send(http.MethodGet, path, "")
		if err != nil {
			return got, path, err
		}
		next := got.header.Get("Location")
		if got.status < 300 || got.status > 399 || next == "" {
			return got, path, nil
		}
		if path, err = pathOf(next); err != nil {
			return got, path, err
		}
	}
	return answer{}, path, fmt.Errorf("more than ten redirects, the last to %s", path)
}

// pathOf gives path and query of a URL.
func pathOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	return u.RequestURI(), nil
}

// refused describes an answer that was not the wanted one, without what may be
// secret in it. It is an errAway where that was asked for.
func refused(what string, a answer) error {
	if a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "" {
		return fmt.Errorf("%s: %w", what, errAway)
	}
	return fmt.Errorf("%s: status %d, error %q", what, a.status, member(a.body, "error"))
}

// member gives a string member of a JSON object by looking for it: the driver
// has no time to decode every answer. Escapes are not undone.
func member(body []byte, name string) string {
	_, rest, found := bytes.Cut(body, []byte(`"`+name+`"`))
	if !found {
		return ""
	}
	rest = bytes.TrimLeft(rest, " :")
	if len(rest) == 0 || rest[0] != '"' {
		return ""
	}
	value, _, found := bytes.Cut(rest[1:], []byte{'"'})
	if !found {
		return ""
	}
	return string(value)
}

// hidden gives the value of a hidden input of a page by looking for it.
func hidden(page []byte, name string) string {
	_, rest, found := bytes.Cut(page, []byte(`name="`+name+`" value="`))
	if !found {
		return ""
	}
	value, _, _ := bytes.Cut(rest, []byte{'"'})
	return string(value)
}
