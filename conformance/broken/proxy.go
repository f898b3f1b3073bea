package broken

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/clock"
)

// Fault is one way in which a server could be wrong.
type Fault struct {
	Name     string
	request  func(*http.Request)
	response func(*http.Response)
	// credulous hands on what a client says of its certificate.
	credulous bool
	// Rows are the checks that must notice it. Also are those that may, because
	// they pass through what is broken; every other check must not.
	Rows, Also []string
}

// Proxy breaks one thing at a time.
type Proxy struct {
	current atomic.Pointer[Fault]
	server  *http.Server
	clock   clock.Clock
	// direct reads from the FHIR server behind.
	direct *http.Client

	// secure answers clients that show a certificate; nil without it.
	secure *http.Server

	mu sync.Mutex
	// ready describes the good server; offset is how far its clock was moved.
	ready  kit.Ready
	offset time.Duration
	tokens map[string]time.Time // ends of the access tokens that were given
	// members are the URIs of UDAP clients by client_id.
	members map[string]string
}

// Serve begins to answer on a listener for the server at the address behind.
func Serve(l net.Listener, behind string) *Proxy {
	p := &Proxy{clock: clock.System{}, direct: &http.Client{Timeout: time.Minute}, tokens: map[string]time.Time{}, members: map[string]string{}}
	target := &url.URL{Scheme: "http", Host: behind}
	p.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			// Faults read plain answers. What a client adds by itself does not
			// count, what a check asks for does.
			if r.Out.Header.Get("Accept-Encoding") == "gzip" {
				r.Out.Header.Set("Accept-Encoding", "identity")
			}
			p.handOn(r)
			if f := p.current.Load(); f != nil && f.request != nil {
				f.request(r.Out)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			p.watch(r)
			if f := p.current.Load(); f != nil && f.response != nil {
				f.response(r)
			}
			return nil
		},
	}}
	go func() { _ = p.server.Serve(l) }() // ends with Close
	return p
}

// Close ends the proxy.
func (p *Proxy) Close() error {
	if p.secure == nil {
		return p.server.Close()
	}
	return errors.Join(p.server.Close(), p.secure.Close())
}

// Know tells what the ready file of the good server says.
func (p *Proxy) Know(r kit.Ready) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready = r
}

// Break makes a fault the only one; nil mends everything.
func (p *Proxy) Break(f *Fault) { p.current.Store(f) }

// watch notes the time of the good server and the ends of its tokens.
func (p *Proxy) watch(r *http.Response) {
	switch path := r.Request.URL.Path; {
	case path == "/dev/clock" && r.StatusCode == http.StatusOK:
		object(func(doc map[string]any) {
			text, _ := doc["now"].(string)
			now, err := time.Parse(time.RFC3339Nano, text)
			if err != nil {
				return
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			p.offset = now.Sub(p.clock.Now())
		})(r)
	case path == udapRegister:
		object(p.enrolled)(r)
	case path == "/token" && r.StatusCode == http.StatusOK:
		object(func(doc map[string]any) {
			token, _ := doc["access_token"].(string)
			life, _ := doc["expires_in"].(float64)
			p.mu.Lock()
			defer p.mu.Unlock()
			p.tokens[token] = p.clock.Now().Add(p.offset + time.Duration(life)*time.Second)
		})(r)
	}
}

// late reports whether the bearer token of a request has ended.
func (p *Proxy) late(r *http.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	end, known := p.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	return known && !p.clock.Now().Add(p.offset).Before(end)
}

// known reports whether the bearer token of a request is one of the server.
func (p *Proxy) known(r *http.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, known := p.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	return known
}

// claims reads the claims of a JWT without verifying them.
func claims(token string) map[string]any {
	out := map[string]any{}
	if parts := strings.Split(token, "."); len(parts) == 3 {
		raw, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil || json.Unmarshal(raw, &out) != nil {
			return map[string]any{}
		}
	}
	return out
}

// client gives a client of the good server with its credentials.
func (p *Proxy) client(id string) (kit.Client, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.ready.Clients {
		if c.ID == id {
			return c, true
		}
	}
	return kit.Client{}, false
}

// behind gives the base of the FHIR server behind the good server.
func (p *Proxy) behind() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready.Upstream
}

// now is the good server's time.
func (p *Proxy) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clock.Now().Add(p.offset)
}
