package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/internal/tlsconf"
	"github.com/mandate-health/mandate/web/protocol"
	"github.com/mandate-health/mandate/web/route"
)

// transport decides between plain HTTP, given certificates and a self-made
// authority. A TLS server that is nil means plain HTTP.
func (a *App) transport(main net.Listener) (scheme, caFile string, err error) {
	deps := tlsconf.Deps{Config: a.cfg.Transport, Clock: a.clock, IDs: a.ids, Log: a.log}
	switch {
	case a.cfg.Transport.CertFile != "":
		if a.tls, err = tlsconf.Open(deps); err != nil {
			return "", "", explain(err)
		}
	case a.cfg.TLS:
		cert, ca, err := devCertificate(a.cfg.Data, a.cfg.PublicURL, main.Addr(), a.clock.Now())
		if err != nil {
			return "", "", err
		}
		if a.tls, err = tlsconf.Fixed(cert, deps); err != nil {
			return "", "", err
		}
		caFile = ca
	default:
		return "http", "", nil
	}
	return "https", caFile, nil
}

// watchCertificate follows changes of the certificate until ctx ends. SIGHUP
// asks for it at once, and never ends the process.
func (a *App) watchCertificate(ctx context.Context) {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	go func() {
		defer signal.Stop(again)
		if a.tls != nil {
			a.tls.Watch(ctx, again)
			return
		}
		for {
			select {
			case <-ctx.Done():
				return
			case <-again:
				a.log.InfoContext(ctx, "SIGHUP: there is no certificate to read again")
			}
		}
	}()
}

// redirect opens the plain listener that leads browsers to https (SE-08).
func (a *App) redirect(ctx context.Context, servers *group) error {
	address := a.cfg.HTTP.RedirectListen
	if address == "" {
		return nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w. Choose another with --redirect-listen", address, err)
	}
	public := a.home.site.Issuer
	servers.start(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			// A fixed target: what the request says about its host is not believed.
			http.Redirect(w, r, public+"/", http.StatusPermanentRedirect)
			return
		}
		a.home.problem.JSON(w, r, errs.New(errs.Forbidden, "https-only", "This address leads browsers to https and answers nothing else. A token sent here travelled in the clear."))
	}), nil)
	return nil
}

// pins publishes the keys of our TLS, pinReports hears of keys that nobody knew.
func (t *tenant) pins() route.Route {
	return route.Route{
		Method: "GET", Path: protocol.PinsPath, Auth: route.None, PHI: route.NoPHI, Owner: ownerProtocol,
		Reason:  "an app needs the pins before it trusts anything (SE-11)",
		Handler: protocol.Pins(t.site.Issuer, t.cfg.Transport.NextRotation, t.tls.Pins, t.problem),
	}
}

func (t *tenant) pinReports() route.Route {
	return route.Route{
		Method: "POST", Path: protocol.PinReportsPath, Auth: route.None, PHI: route.NoPHI, Limit: "reports", Owner: ownerProtocol,
		Reason:  "an app that met an unknown key can prove nothing (SE-11)",
		Handler: protocol.PinReports(t.problem, t.log, t.metrics.PinReport),
	}
}

// readiness lists what the server needs to take requests.
func (a *App) readiness() *health.Readiness {
	return health.NewReadiness(a.clock,
		health.Probe{Name: "store", Look: func(ctx context.Context) error { return a.store.Ping(ctx) }},
		health.Probe{Name: "keys", Look: func(ctx context.Context) error {
			_, err := a.ring.JWKS(ctx, a.home.id)
			return err
		}},
		health.Probe{Name: "audit-queue", Look: func(context.Context) error {
			if waiting, room := a.queue.Waiting(); waiting >= room {
				return errs.New(errs.Unavailable, "audit-queue-full", "Too many audit events wait to be written.")
			}
			return nil
		}},
		// Taking no requests would end revoking too, so this is only told.
		health.Probe{Name: "revocation-journal", Optional: true, Look: func(context.Context) error {
			if a.journal == nil {
				return nil
			}
			return a.journal.Trouble()
		}},
		health.Probe{Name: "upstream", Optional: !a.cfg.ReadyUpstream, Look: func(ctx context.Context) error {
			_, err := a.home.record.Do(ctx, http.MethodGet, "/metadata", nil, nil)
			return err
		}},
	)
}

// readyz tells a balancer whether to send requests here, and a human why not.
func (a *App) readyz(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	ready, parts := a.ready.Ready(r.Context())
	var b strings.Builder
	switch {
	case ready:
		b.WriteString("ready\n")
	case a.ready.Draining():
		b.WriteString("not ready: ending\n")
	default:
		b.WriteString("not ready\n")
	}
	for _, p := range parts {
		state := "fine"
		if !p.Fine {
			state = "failing"
		}
		fmt.Fprintf(&b, "%s %s\n", p.Name, state)
	}
	if !ready {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write([]byte(b.String()))
}
