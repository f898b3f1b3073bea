package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir/sandbox"
	"github.com/mandate-health/mandate/fhir/sandbox/dataset"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys/selfsigned"
	"github.com/mandate-health/mandate/web/demo"
)

// development is what `mandate dev` adds: the sandbox, the demo origin, demo
// people and clients.
type development struct {
	demo    net.Listener
	demoURL string
	token   string
	clients []clientFile
	servers *group
	// families says that the records of the families are there.
	families bool
}

// startDevelopment opens the further listeners and starts the sandbox, which
// the gateway reaches only over its TCP port.
func (a *App) startDevelopment(ctx context.Context, main net.Addr, at *reached, servers *group) (*development, error) {
	d := &development{servers: servers, token: a.ids.Secret()}
	a.devToken = d.token
	var err error
	if d.demo, err = beside(ctx, main, 2); err != nil {
		return nil, err
	}
	d.demoURL = publicURL("http", d.demo.Addr())
	if at.upstream != "" {
		return d, nil
	}
	l, err := beside(ctx, main, 1)
	if err != nil {
		return nil, err
	}
	at.upstream = publicURL("http", l.Addr()) + "/fhir"
	var seed []sandbox.Resource
	for _, r := range dataset.Generate(a.clock.Now()) {
		seed = append(seed, sandbox.Resource(r))
	}
	h, err := sandbox.New(sandbox.Config{BaseURL: at.upstream, Now: a.clock.Now, Seed: seed, Log: a.log})
	if err != nil {
		return nil, err
	}
	servers.start(l, h, nil)
	d.families = a.cfg.Families
	return d, nil
}

// beside listens on the main address's port plus offset, or on any free port
// when that one is taken.
func beside(ctx context.Context, main net.Addr, offset int) (net.Listener, error) {
	host, port, err := net.SplitHostPort(main.String())
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	var open net.ListenConfig
	if l, err := open.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(n+offset))); err == nil {
		return l, nil
	}
	return open.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
}

// devCertificate makes the certificate of --tls for the names by which the
// server is reached.
func devCertificate(dir, public string, addr net.Addr, now time.Time) (tls.Certificate, string, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if u, err := url.Parse(public); err == nil && u.Hostname() != "" {
		hosts = append(hosts, u.Hostname())
	}
	if h, _, err := net.SplitHostPort(addr.String()); err == nil && h != "" {
		hosts = append(hosts, h)
	}
	return selfsigned.Make(dir, hosts, now)
}

// open seeds the store, starts the demo origin, tells people and programs.
func (d *development) open(ctx context.Context, t *tenant, at reached, caFile string) error {
	var err error
	if d.clients, err = demoClients(ctx, t.store, t.id, d.demoURL, t.ids); err != nil {
		return err
	}
	for _, path := range t.cfg.ClientFiles {
		more, err := t.cfg.clientFiles(t.log).read(path)
		if err != nil {
			return err
		}
		d.clients = append(d.clients, more...)
	}
	if err := d.seed(ctx, t); err != nil {
		return err
	}
	client, err := trusting(caFile)
	if err != nil {
		return err
	}
	h, err := demo.New(d.demoConfig(t, client))
	if err != nil {
		return err
	}
	d.servers.start(d.demo, h, nil)
	// Making the synthetic records left garbage that a small machine would
	// rather have back at once.
	debug.FreeOSMemory()
	if d.families {
		go d.rest(ctx)
	}
	r := d.ready(t, at, caFile)
	d.announce(t.cfg.Out, r, at)
	if t.cfg.ReadyFile != "" {
		return r.write(t.cfg.ReadyFile)
	}
	return nil
}

// restsAfter is when the notices of what the families did have been sent.
const restsAfter = 5 * time.Second

// rest gives back what sending them left, unless the server ends before.
func (d *development) rest(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(restsAfter):
		debug.FreeOSMemory()
	}
}

// seed registers clients, makes the demo people and files their relations and
// consents, each only once per store.
func (d *development) seed(ctx context.Context, t *tenant) error {
	clients, err := t.cfg.clientFiles(t.log).filed(d.clients, t.id, t.hasher)
	if err != nil {
		return err
	}
	if err := t.register(ctx, clients, false, ""); err != nil {
		return err
	}
	if err := seedPeople(ctx, t.identity, t.id); err != nil {
		return err
	}
	if err := t.seedConsents(ctx); err != nil {
		return err
	}
	if d.families {
		if err := t.seedFamily(ctx); err != nil {
			return err
		}
	}
	return t.seedBrand(ctx)
}

// seedConsents files the relations and consents of the palliative-care story.
// The hospital's own RelatedPersons are imported as a real one's would be
// (D14).
func (t *tenant) seedConsents(ctx context.Context) error {
	now := t.clock.Now()
	origin := audit.Event{Tenant: t.id, Time: now}
	if _, err := t.store.RelatedPersonByID(ctx, t.id, "rosa-elena"); err == nil {
		return nil
	}
	var relations [][]byte
	for _, r := range dataset.RelatedPersons(now) {
		relations = append(relations, r.JSON)
	}
	// Another node on the same database may be importing at this moment.
	if err := t.proxies.Import(ctx, t.id, relations, origin); err != nil && !errs.Is(err, errs.Conflict) {
		return err
	}
	for _, r := range dataset.Consents(now) {
		_, err := t.consents.File(ctx, consent.Filing{Tenant: t.id, ID: r.ID, Raw: r.JSON, Origin: origin})
		if err != nil && !errs.Is(err, errs.Conflict) && !errs.Is(err, errs.Unprocessable) {
			return fmt.Errorf("demo consent %s: %w", r.ID, err)
		}
		if errs.Is(err, errs.Unprocessable) {
			t.log.WarnContext(ctx, "demo consent not filed", "id", r.ID, "why", errs.As(err).Msg)
		}
	}
	return nil
}

// trusting gives an HTTP client that trusts the self-made authority, if there
// is one.
func trusting(caFile string) (*http.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	}
	return &http.Client{Transport: t, Timeout: 30 * time.Second}, nil
}
