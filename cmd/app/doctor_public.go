package app

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/tlsconf"
)

// Limits of the questions to the running server and the one behind.
const (
	visitTimeout = 5 * time.Second
	visitBytes   = 1 << 20
	farAhead     = 30 * time.Second
)

// visitor asks the public URL as a stranger would.
type visitor struct {
	base   string
	client *http.Client
}

func newVisitor(base string) visitor {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig, t.Proxy = tlsconf.Base(), nil
	return visitor{base: strings.TrimSuffix(base, "/"), client: &http.Client{
		Timeout: visitTimeout, Transport: t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (v visitor) get(ctx context.Context, path string, header ...string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.base+path, nil)
	if err != nil {
		return nil, nil, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := v.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, visitBytes))
	return res, body, err
}

// publicChecks visit the running server under its public URL.
//
// long: each row is one question.
func (d *doctor) publicChecks() []health.Check {
	v := newVisitor(d.cfg.PublicURL)
	visit := func(id, path, looks, remedy string, judge func(*http.Response, []byte) health.Finding, header ...string) health.Check {
		return health.Check{ID: id, Looks: looks, Remedy: remedy, Look: func(ctx context.Context) health.Finding {
			if d.offline || v.base == "" {
				return health.Unseen("not asked")
			}
			res, body, err := v.get(ctx, path, header...)
			if err != nil {
				return health.Unseen("the public URL does not answer from here: %s", why(err))
			}
			return judge(res, body)
		}}
	}
	absent := func(res *http.Response, _ []byte) health.Finding {
		return health.Want(res.StatusCode == http.StatusNotFound, "it answers %d", res.StatusCode)
	}
	return []health.Check{
		{ID: "public-reachable", Looks: "whether the public URL answers from this machine", Remedy: "start the server; check name, proxy and firewall", Look: func(ctx context.Context) health.Finding {
			if d.offline || v.base == "" {
				return health.Unseen("not asked")
			}
			if _, _, err := v.get(ctx, "/healthz"); err != nil {
				return health.Warn("it does not: %s", why(err))
			}
			return health.Good("it does")
		}},
		visit("public-ready", "/readyz", "whether the server is ready", "read the answer of /readyz", func(res *http.Response, body []byte) health.Finding {
			return health.Want(res.StatusCode == http.StatusOK, "%d: %s", res.StatusCode, strings.Join(strings.Fields(string(body)), " "))
		}),
		visit("public-tls-version", "/healthz", "which TLS is negotiated", "let the proxy offer TLS 1.3", func(res *http.Response, _ []byte) health.Finding {
			if res.TLS == nil {
				return health.Fail("none")
			}
			return health.Wish(res.TLS.Version == tls.VersionTLS13, "%s, %s", tls.VersionName(res.TLS.Version), res.TLS.CurveID)
		}),
		{ID: "public-old-tls", Looks: "whether TLS 1.1 is refused", Remedy: "let the proxy begin at TLS 1.2", Look: d.oldTLS},
		{ID: "public-plain-http", Looks: "whether the API is refused over plain http", Remedy: "close port 80, or let it redirect the start page only", Look: d.plainHTTP},
		visit("public-hsts", "/healthz", "the HSTS header", "do not let the proxy remove it", func(res *http.Response, _ []byte) health.Finding {
			h := res.Header.Get("Strict-Transport-Security")
			return health.Want(strings.Contains(h, "max-age=63072000") && strings.Contains(h, "includeSubDomains"), "%q", h)
		}),
		visit("public-headers", "/signin", "the headers that protect pages", "do not let the proxy remove them", func(res *http.Response, _ []byte) health.Finding {
			csp := res.Header.Get("Content-Security-Policy")
			return health.Want(csp != "" && !strings.Contains(csp, "unsafe-inline") && res.Header.Get("X-Content-Type-Options") == "nosniff", "policy present: %v, nosniff: %q", csp != "", res.Header.Get("X-Content-Type-Options"))
		}),
		visit("public-cookies", "/signin", "the attributes of cookies", "do not let the proxy rewrite cookies", cookies),
		visit("public-cors", "/home", "whether a foreign page can read answers with a person's cookie", "do not let the proxy add CORS headers", func(res *http.Response, _ []byte) health.Finding {
			allowed := res.Header.Get("Access-Control-Allow-Origin")
			return health.Want(allowed == "" && res.Header.Get("Access-Control-Allow-Credentials") == "", "allowed origin %q", allowed)
		}, "Origin", "https://evil.example"),
		visit("public-clock", "/healthz", "the server's clock beside this machine's", "let both follow time servers", func(res *http.Response, _ []byte) health.Finding {
			there, err := http.ParseTime(res.Header.Get("Date"))
			skew := d.clock.Now().Sub(there).Abs().Round(time.Second)
			return health.Want(err == nil && skew <= farAhead, "they differ by %s", skew)
		}),
		visit("public-issuer", "/.well-known/openid-configuration", "whether the server calls itself by the public URL", "set public_url, and let the proxy hand on the host", func(_ *http.Response, body []byte) health.Finding {
			var doc struct {
				Issuer string `json:"issuer"`
			}
			err := json.Unmarshal(body, &doc)
			return health.Want(err == nil && doc.Issuer == v.base, "issuer %q", doc.Issuer)
		}),
		visit("public-server-header", "/healthz", "whether answers tell which software made them", "let the proxy remove Server and X-Powered-By", func(res *http.Response, _ []byte) health.Finding {
			return health.Wish(res.Header.Get("X-Powered-By") == "" && !strings.ContainsAny(res.Header.Get("Server"), "0123456789"), "Server %q", res.Header.Get("Server"))
		}),
		visit("public-dev-clock", "/dev/clock", "whether the clock can be moved from outside", "run mandate serve, not dev", absent),
		visit("public-dev-outbox", "/dev/outbox", "whether notices can be read from outside", "run mandate serve, not dev", absent),
		visit("public-debug", "/debug/pprof/", "whether the program's insides can be read", "close /debug in the proxy", absent),
		visit("public-metrics", "/metrics", "whether metrics are open to everybody", "keep metrics on their own listener", absent),
	}
}

// why tells in a few words why a connection failed, without addresses.
func why(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return err.Error()
}

func cookies(res *http.Response, _ []byte) health.Finding {
	for _, c := range res.Cookies() {
		if !c.Secure || !c.HttpOnly || c.SameSite == http.SameSiteDefaultMode || !strings.HasPrefix(c.Name, "__Host-") {
			return health.Fail("%s: Secure %v, HttpOnly %v", c.Name, c.Secure, c.HttpOnly)
		}
	}
	return health.Good("%d cookies", len(res.Cookies()))
}

// oldTLS greets the public URL as a client of 2010 would.
func (d *doctor) oldTLS(ctx context.Context) health.Finding {
	u, err := url.Parse(d.cfg.PublicURL)
	if err != nil || u.Scheme != "https" || d.offline {
		return health.Unseen("not asked")
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	dialer := tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, ServerName: u.Hostname()}} //nolint:gosec // asks for what must be refused
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err == nil {
		_ = conn.Close()
		return health.Fail("TLS 1.1 is spoken")
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return health.Unseen("the public URL does not answer from here")
	}
	return health.Good("refused")
}

// plainHTTP sends what no client should send in the clear.
func (d *doctor) plainHTTP(ctx context.Context) health.Finding {
	u, err := url.Parse(d.cfg.PublicURL)
	if err != nil || u.Scheme != "https" || d.offline {
		return health.Unseen("not asked")
	}
	v := newVisitor("http://" + u.Hostname())
	res, _, err := v.get(ctx, fhirPath+"/metadata")
	if err != nil {
		return health.Good("port 80 does not answer")
	}
	return health.Wish(res.StatusCode >= 400, "port 80 answers %d for the FHIR base; a client that goes on there would send its token in the clear", res.StatusCode)
}

// upstreamChecks visit the FHIR server behind.
func (d *doctor) upstreamChecks() []health.Check {
	c := d.cfg
	u, err := url.Parse(c.Upstream)
	valid := err == nil && u.Host != ""
	return []health.Check{
		ask("upstream-tls", "whether records travel to us encrypted", "use https for upstream", func() health.Finding {
			if !valid {
				return health.Note("no upstream")
			}
			return health.Want(u.Scheme == "https" || loopback(net.JoinHostPort(u.Hostname(), "0")), "%s to %s", u.Scheme, u.Host)
		}),
		ask("upstream-other", "whether the upstream is another server than this one", "set upstream to the FHIR server behind", func() health.Finding {
			return health.Want(!valid || !strings.HasPrefix(c.Upstream, strings.TrimSuffix(c.PublicURL, "/")+"/") || c.PublicURL == "", "upstream %s", c.Upstream)
		}),
		ask("upstream-client-certificate", "whether we prove ourselves to the upstream", "set upstream_cert_file, or shield the upstream by its network", func() health.Finding {
			return health.Note("client certificate: %v", c.UpstreamCert != "")
		}),
		{ID: "upstream-capabilities", Looks: "whether the upstream answers as a FHIR R4 server", Remedy: "correct upstream, its certificate or its network", Look: d.capabilities},
	}
}

func (d *doctor) capabilities(ctx context.Context) health.Finding {
	if d.offline || d.cfg.Upstream == "" {
		return health.Unseen("not asked")
	}
	cfg := d.cfg
	cfg.FHIRServer.Timeout = visitTimeout
	client, err := upstreamClient(cfg, cfg.Upstream, d.clock, ids.Source{})
	if err != nil {
		return health.Fail("%s", explain(err))
	}
	res, err := client.Do(ctx, http.MethodGet, "/metadata", nil, nil)
	if err != nil {
		return health.Fail("it does not answer")
	}
	var doc struct {
		Type    string `json:"resourceType"`
		Version string `json:"fhirVersion"`
	}
	if json.Unmarshal(res.Body, &doc) != nil || doc.Type != "CapabilityStatement" {
		return health.Fail("it answers %d without a CapabilityStatement", res.Status)
	}
	return health.Want(strings.HasPrefix(doc.Version, "4.0"), "FHIR %s", doc.Version)
}
