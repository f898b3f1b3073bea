package app

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/keys/clientkey"
	"github.com/mandate-health/mandate/internal/tlsconf"
)

// UpstreamConfig says how the FHIR server behind is asked: how we prove ourselves
// besides a certificate, its limits and its quirks.
type UpstreamConfig struct {
	Timeout  time.Duration `name:"upstream-timeout" key:"timeout" default:"30s" help:"Longest time in which the upstream must begin an answer, and go on with it."`
	Requests int           `name:"upstream-requests" key:"requests" default:"256" help:"Requests of apps that ask the upstream at once; further ones wait a second, then get 503."`
	Retries  int           `name:"upstream-retries" key:"retries" default:"1" help:"How often a read is asked again after a fault that may pass; -1 for never."`
	Resource int           `name:"upstream-resource" key:"resource" default:"16" help:"Largest single resource that is read from the upstream, in MB." placeholder:"MB"`
	// HeaderFile, or TokenURL with what belongs to it, say who we are.
	HeaderFile string `name:"upstream-header" key:"header_file" help:"File with one line that each request to the upstream carries, such as Authorization: Bearer XYZ." placeholder:"FILE" type:"existingfile"`
	TokenURL   string `name:"upstream-token-url" key:"token_url" help:"Token endpoint where Mandate gets access tokens for the upstream (SMART Backend Services)." placeholder:"URL"`
	ClientID   string `name:"upstream-client-id" key:"client_id" help:"client_id of Mandate at that endpoint." placeholder:"ID"`
	Scope      string `name:"upstream-scope" key:"scope" default:"system/*.cruds" help:"Scope to ask for there."`
	ClientKey  string `name:"upstream-client-key" key:"client_key_file" help:"PEM file with the private key that signs the assertion: EC P-384 or RSA." placeholder:"FILE" type:"existingfile"`
	KeyID      string `name:"upstream-client-key-id" key:"client_key_id" help:"kid by which that endpoint knows the key." placeholder:"KID"`
	// Aliases, Parameters and Plain are quirks.
	Parameters []string `name:"upstream-parameter" key:"parameters" help:"Search parameter that the upstream has beside those of FHIR R4, as Type:name or *:name; may be repeated." placeholder:"TYPE:NAME"`
	Aliases    []string `name:"upstream-alias" key:"aliases" help:"Further base URL by which the upstream calls itself in links and references; may be repeated." placeholder:"URL"`
	Plain      bool     `name:"upstream-uncompressed" key:"uncompressed" help:"Do not ask the upstream for compressed answers: best where it runs on the same machine."`
}

const (
	maxUpstreamRequests = 1 << 16
	maxUpstreamResource = 256
)

// Validate reports every fault of the settings.
func (c *UpstreamConfig) Validate() error {
	var f config.Faults
	if c.Timeout < 0 {
		f.Add("timeout", "a time cannot be negative")
	}
	if c.Requests < 0 || c.Requests > maxUpstreamRequests {
		f.Add("requests", "%d is not between 1 and %d", c.Requests, maxUpstreamRequests)
	}
	if c.Resource < 0 || c.Resource > maxUpstreamResource {
		f.Add("resource", "%d is not between 1 and %d", c.Resource, maxUpstreamResource)
	}
	if c.Retries < -1 || c.Retries > 3 {
		f.Add("retries", "%d is not between -1 and 3", c.Retries)
	}
	if c.TokenURL != "" && !fullURL(c.TokenURL) {
		f.Add("token_url", "%q is not an http or https URL", c.TokenURL)
	}
	if (c.TokenURL == "") != (c.ClientID == "") || (c.TokenURL == "") != (c.ClientKey == "") {
		f.Add("token_url", "token_url, client_id and client_key_file belong together")
	}
	if c.TokenURL != "" && c.HeaderFile != "" {
		f.Add("header_file", "there is a token_url too: one of them says who we are")
	}
	for _, a := range c.Aliases {
		if !fullURL(a) {
			f.Add("aliases", "%q is not an http or https URL", a)
		}
	}
	for _, p := range c.Parameters {
		if !upstreamParameter.MatchString(p) {
			f.Add("parameters", "%q is not Type:name or *:name", p)
		}
	}
	return f.Err()
}

// upstreamParameter is the name of a search parameter with its type.
var upstreamParameter = regexp.MustCompile(`^(\*|[A-Z][A-Za-z]{1,63}):[A-Za-z_][A-Za-z0-9_-]{0,63}$`)

func fullURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && u.User == nil && (u.Scheme == "http" || u.Scheme == "https")
}

// upstreamClient gives the client of the FHIR server at a base: verified, with a
// certificate of our own where that server asks for one (SE-06). What else says
// who we are goes to the server of the configuration alone, not to those of
// other tenants.
func upstreamClient(cfg Config, base string, clk clock.Clock, source ids.Source) (*upstream.Client, error) {
	conf, err := tlsconf.Client{CAFile: cfg.UpstreamCA, CertFile: cfg.UpstreamCert, KeyFile: cfg.UpstreamKey}.TLS()
	if err != nil {
		return nil, err
	}
	c := cfg.FHIRServer
	var way http.RoundTripper = upstream.Transport(conf)
	out := upstream.Config{Base: base, Timeout: c.Timeout, Requests: c.Requests, Retries: c.Retries, Plain: c.Plain, Resource: c.Resource << 20}
	if strings.TrimSuffix(base, "/") == strings.TrimSuffix(cfg.Upstream, "/") {
		if way, err = c.proving(way, clk, source); err != nil {
			return nil, err
		}
		out.Aliases = c.Aliases
	}
	out.Transport = way
	return upstream.New(out)
}

// proving adds to a way what says who we are.
func (c *UpstreamConfig) proving(way http.RoundTripper, clk clock.Clock, source ids.Source) (http.RoundTripper, error) {
	switch {
	case c.HeaderFile != "":
		raw, err := os.ReadFile(c.HeaderFile)
		if err != nil {
			return nil, err
		}
		name, value, err := upstream.ParseHeader(string(raw))
		if err != nil {
			return nil, err
		}
		return upstream.Header{Name: name, Value: value, Next: way}, nil
	case c.TokenURL != "":
		raw, err := os.ReadFile(c.ClientKey)
		if err != nil {
			return nil, err
		}
		signer, err := clientkey.Parse(raw, c.KeyID)
		if err != nil {
			return nil, err
		}
		return &upstream.Backend{TokenURL: c.TokenURL, ClientID: c.ClientID, Scope: c.Scope, Sign: signer.Sign, Clock: clk, IDs: source, Next: way}, nil
	}
	return way, nil
}
