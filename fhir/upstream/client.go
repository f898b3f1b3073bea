package upstream

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// defaultResource is the largest answer, in bytes, that is read into memory as a
// whole: as large as what a client may send.
const defaultResource = 16 << 20

// maxPages bounds how many pages of one search are followed.
const maxPages = 200

// Config names the server and its limits.
type Config struct {
	// Base is the FHIR base URL, without a trailing slash.
	Base string
	// Timeout bounds one exchange; zero means 30 seconds.
	Timeout time.Duration
	// Transport may be replaced for other ways to authenticate; nil means a
	// transport of its own with keep-alive.
	Transport http.RoundTripper
	// Requests is how many requests of clients ask the upstream at once (Admit);
	// zero means 256.
	Requests int
	// Retries is how often a read is asked again after a fault that may pass; zero
	// means once, less than zero never.
	Retries int
	// Resource is the largest answer in bytes that is held as a whole, such as a
	// resource that is read; zero means 16 MB.
	Resource int
	// Aliases are further base URLs under which the upstream calls itself in links
	// and references.
	Aliases []string
	// Plain does not ask for compressed answers.
	Plain bool
}

// Client talks to one upstream FHIR server. It is safe for concurrent use.
type Client struct {
	base    *url.URL
	aliases []string
	http    *http.Client
	timeout time.Duration
	turns   chan struct{}
	retries int
	plain   bool
	most    int
}

// New makes a client. Errors: errs.Invalid when the base is not an absolute
// http or https URL.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(strings.TrimSuffix(cfg.Base, "/"))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errs.New(errs.Invalid, "upstream-url-invalid", "The upstream FHIR base must be an absolute http or https URL.")
	}
	timeout := cfg.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	transport := cfg.Transport
	if transport == nil {
		transport = Transport(nil)
	}
	c := &Client{
		base: u, timeout: timeout, turns: make(chan struct{}, cmp.Or(cfg.Requests, defaultRequests)),
		retries: max(cmp.Or(cfg.Retries, defaultRetries), 0), plain: cfg.Plain,
		most: cmp.Or(cfg.Resource, defaultResource),
	}
	for _, a := range cfg.Aliases {
		c.aliases = append(c.aliases, strings.TrimSuffix(a, "/"))
	}
	c.http = &http.Client{
		Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	return c, nil
}

// Transport gives a transport with keep-alive for one server; conf nil means
// the machine's authorities.
func Transport(conf *tls.Config) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost, t.Proxy, t.TLSClientConfig = 64, nil, conf
	// What is compressed is unpacked here, within bounds.
	t.DisableCompression = true
	return t
}

// Base gives the FHIR base URL, without a trailing slash.
func (c *Client) Base() string { return c.base.String() }

// Aliases gives further base URLs under which the upstream calls itself.
func (c *Client) Aliases() []string { return c.aliases }

// Response is one answer of the upstream.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends one request to a path below the base, such as "/Patient?_id=x".
// Statuses of 500 and above, time-outs and refused connections are
// errs.Upstream; every other status is given as it came.
func (c *Client) Do(ctx context.Context, method, pathAndQuery string, header http.Header, body []byte) (Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	res, err := c.send(ctx, method, pathAndQuery, header, body)
	if err != nil {
		return Response{}, err
	}
	defer res.Body.Close()
	b, err := readAll(io.LimitReader(res.Body, int64(c.most)+1), res.ContentLength)
	if err != nil {
		return Response{}, unreachable(err)
	}
	if len(b) > c.most {
		return Response{}, errs.New(errs.Upstream, "upstream-too-large", "The FHIR server behind Mandate answered with more than is read as a whole.")
	}
	if res.StatusCode >= 500 {
		return Response{}, errs.New(errs.Upstream, "upstream-failed", "The FHIR server behind Mandate answered with an error.")
	}
	return Response{Status: res.StatusCode, Header: res.Header, Body: b}, nil
}

// readAll is io.ReadAll with room for as much as the server says is coming.
func readAll(r io.Reader, length int64) ([]byte, error) {
	const most = 1 << 20 // more is believed once it has come
	var b bytes.Buffer
	b.Grow(int(min(max(length, 0), most)) + bytes.MinRead)
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

// unreachable hides the address that was asked for: its query holds what was
// searched, such as a name, and the cause is logged.
func unreachable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err
	}
	return errs.Wrap(err, errs.Upstream, "upstream-unreachable", "The FHIR server behind Mandate cannot be reached.")
}

// Read gives one resource as exact bytes. Errors: errs.NotFound for absent or
// deleted ones, errs.Upstream.
func (c *Client) Read(ctx context.Context, ref fhir.Reference) ([]byte, error) {
	res, err := c.Do(ctx, http.MethodGet, "/"+ref.Type+"/"+ref.ID, nil, nil)
	if err != nil {
		return nil, err
	}
	switch res.Status {
	case http.StatusOK:
		return res.Body, nil
	case http.StatusNotFound, http.StatusGone:
		return nil, errs.New(errs.NotFound, "resource-not-found", "The resource does not exist.")
	default:
		return nil, errs.New(errs.Upstream, "upstream-refused", "The FHIR server behind Mandate refused a read.")
	}
}

// Search calls each with every match of a search on one type, following the
// pages; what it hands over is good for that call alone. It stops at the first error of each, which it returns. Errors:
// errs.Upstream.
func (c *Client) Search(ctx context.Context, typ string, params url.Values, each func(raw []byte) error) error {
	next := "/" + typ + "?" + params.Encode()
	for range maxPages {
		res, err := c.Open(ctx, http.MethodGet, next, nil, nil)
		if err != nil {
			return err
		}
		if res.Status != http.StatusOK {
			_ = res.Body.Close()
			return errs.New(errs.Upstream, "upstream-refused", "The FHIR server behind Mandate refused a search.")
		}
		link, err := page(res.Bundle(nil), each)
		if err != nil {
			return err
		}
		var ok bool
		if next, ok = c.Below(link); !ok {
			return nil
		}
	}
	return errs.New(errs.Upstream, "upstream-too-many-pages", "The FHIR server gave more pages than are followed.")
}

// page hands over the matches of one page, each good for the call alone, and
// gives the link to the next.
func page(parts *Parts, each func(raw []byte) error) (next string, err error) {
	defer func() { _ = parts.Close() }()
	for {
		part, err := parts.Next()
		if err == io.EOF { //nolint:errorlint // a fault that wraps io.EOF is no end
			return parts.Rest().Link("next"), nil
		}
		if err != nil {
			return "", err
		}
		for _, e := range part {
			if e.Resource == nil || (e.Mode != "" && e.Mode != "match") {
				continue
			}
			if err := each(e.Resource); err != nil {
				return "", err
			}
		}
	}
}

// absolute gives a link that names no server as one below the base: one that begins
// with a slash names the whole path, any other what follows the base.
func (c *Client) absolute(link string) string {
	u, err := url.Parse(link)
	switch {
	case err != nil || u.Scheme != "" || u.Host != "" || strings.HasPrefix(link, "//"):
		return link
	case strings.HasPrefix(link, "/"):
		return c.base.Scheme + "://" + c.base.Host + link
	case strings.HasPrefix(link, "?"):
		return c.base.String() + link
	}
	return c.base.String() + "/" + link
}

// Below turns a link of the upstream, absolute or relative to its base, into path
// and query below the base. ok is false for links that lead anywhere else.
func (c *Client) Below(link string) (pathAndQuery string, ok bool) {
	if link == "" {
		return "", false
	}
	link = c.absolute(link)
	rest, ok := strings.CutPrefix(link, c.base.String())
	for _, a := range c.aliases {
		if !ok {
			rest, ok = strings.CutPrefix(link, a)
		}
	}
	if !ok || rest == "" || (rest[0] != '/' && rest[0] != '?') {
		return "", false
	}
	u, err := url.Parse(link)
	if err != nil || slices.Contains(strings.Split(u.Path, "/"), "..") {
		return "", false
	}
	return rest, true
}
