package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth/registration"
)

// Run starts the server and serves until ctx ends, then drains. Errors: every
// fault of the configuration at once; a sentence a person can act on when the
// address, the data folder or the database cannot be used.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Out == nil {
		cfg.Out = io.Discard
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := errors.Join(config.Judge(&cfg), cfg.checkClientFiles()); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	a := &App{cfg: cfg, log: cfg.Log, ids: ids.Source{}}
	err := a.run(ctx)
	if ctx.Err() != nil && !a.begun {
		// What was under way when the server was told to end is no fault.
		a.log.InfoContext(context.WithoutCancel(ctx), "ended before it was ready")
		return nil
	}
	return err
}

// run opens what a server stands on, and serves.
func (a *App) run(ctx context.Context) error {
	cfg := a.cfg
	if err := a.startClock(ctx); err != nil {
		return err
	}
	main, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w. Is another program using it? Choose another with --listen", cfg.Listen, err)
	}
	defer main.Close()
	if cfg.DatabasePlaintext {
		a.log.WarnContext(ctx, "UNSAFE: the database may be reached without verified TLS; who is in between reads and changes everything")
	}
	cfg.Rules.warn(ctx, a.log)
	if a.journal, err = openJournal(ctx, cfg.Backup, a.clock, a.ids, false); err != nil {
		return explain(err)
	}
	if err = a.openStore(ctx); err != nil {
		return explain(err)
	}
	defer closing(ctx, a.store, a.log)
	defer a.closeJournal(ctx)
	if err := a.openAfterRestore(ctx); err != nil {
		return explain(err)
	}
	if err := a.settleJournal(ctx); err != nil {
		return explain(err)
	}
	if err := a.refuseDemo(ctx); err != nil {
		return explain(err)
	}
	if a.reports, err = openReports(ctx, cfg, a.store); err != nil {
		return explain(err)
	}
	defer closing(ctx, a.reports, a.log)
	return a.serve(ctx, main)
}

// closing closes the store; what it held is durable already, so a failure is
// only told.
func closing(ctx context.Context, st io.Closer, log *slog.Logger) {
	if err := st.Close(); err != nil {
		log.ErrorContext(ctx, "store not closed", "err", err)
	}
}

// explain gives the sentence of an error in place of its code.
func explain(err error) error {
	e := errs.As(err)
	if e.Kind == errs.Internal {
		return err
	}
	return errors.New(e.Msg)
}

// startClock chooses the clock: movable in development, wrong by a file's
// content where a test asks for it (D16).
func (a *App) startClock(ctx context.Context) error {
	if !a.cfg.Dev && a.cfg.ClockOffset == "" {
		a.clock = clock.System{}
		return nil
	}
	m := &clock.Movable{}
	a.clock = m
	if a.cfg.ClockOffset == "" {
		return nil
	}
	a.log.WarnContext(ctx, "UNSAFE: the clock is shifted by a file; never do this in production", "file", a.cfg.ClockOffset)
	return m.Follow(ctx, a.cfg.ClockOffset, func(err error) {
		a.log.ErrorContext(ctx, "clock offset not read", "err", err)
	})
}

// serve builds the rooms behind the open listener and answers until ctx ends.
func (a *App) serve(ctx context.Context, main net.Listener) error {
	scheme, caFile, err := a.transport(main)
	if err != nil {
		return err
	}
	at := a.reach(scheme, main.Addr())
	a.ready = a.readiness()
	servers := &group{log: a.log, cfg: a.cfg.HTTP.complete(), ready: a.ready}
	// Requests in flight still record, so the queue outlives the servers.
	defer a.drain()
	defer servers.stop()
	if err := a.openTelemetry(ctx); err != nil {
		return err
	}
	defer a.closeTelemetry()
	var dev *development
	if a.cfg.Dev {
		if dev, err = a.startDevelopment(ctx, main.Addr(), &at, servers); err != nil {
			return err
		}
	}
	certified, err := a.openMTLS(ctx, main.Addr())
	if err != nil {
		return err
	}
	defer shut(certified)
	if err := a.build(ctx, at); err != nil {
		return explain(err)
	}
	// Who is answered at all is answered as a registered client.
	if err := a.registerFiles(ctx); err != nil {
		return explain(err)
	}
	a.serveMetrics(ctx, servers)
	if err := a.redirect(ctx, servers); err != nil {
		return err
	}
	a.watchCertificate(ctx)
	entrance := a.openDoor(ctx)
	go tuneCollector(ctx)
	servers.start(main, a.handler(), a.tls.TLS())
	a.serveMTLS(certified, servers)
	a.log.InfoContext(ctx, "serving", "fhir_base", a.home.site.FHIRBase, "port", portOf(main.Addr()), "version", Version)
	if dev != nil {
		if err := dev.open(ctx, a.home, at, caFile); err != nil {
			return explain(err)
		}
	}
	// Jobs end before the store is closed.
	working, rest := context.WithCancel(ctx)
	group := a.startJobs(working)
	if entrance != nil {
		group.Go(func() { entrance.Serve(working, a.visit) })
	}
	defer group.Wait()
	defer rest()
	a.begun = true
	return servers.wait(ctx)
}

// reach gives the addresses that the configuration tells.
func (a *App) reach(scheme string, main net.Addr) reached {
	at := reached{public: strings.TrimSuffix(a.cfg.PublicURL, "/"), upstream: a.cfg.Upstream}
	if at.public == "" {
		at.public = publicURL(scheme, main)
	}
	return at
}

// drain waits until every event that was handed in is durable.
func (a *App) drain() {
	if a.queue == nil {
		return // the start failed before there was one
	}
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.HTTP.complete().DrainTimeout)
	defer cancel()
	if err := a.queue.Close(ctx); err != nil {
		a.log.Error("audit queue not drained", "err", err)
	}
	if err := a.audit.sealer.Finish(ctx); err != nil {
		a.log.Warn("the last audit events are sealed at the next start", "err", err)
	}
}

// registerFiles registers the clients of --client files. A development server
// registers them beside its own, later.
func (a *App) registerFiles(ctx context.Context) error {
	if a.cfg.Dev {
		return nil
	}
	var clients []registration.Filed
	files := a.cfg.clientFiles(a.log)
	for _, path := range a.cfg.ClientFiles {
		list, err := files.read(path)
		if err != nil {
			return err
		}
		filed, err := files.filed(list, a.home.id, a.home.hasher)
		if err != nil {
			return err
		}
		clients = append(clients, filed...)
	}
	return a.register(ctx, clients, false, "")
}

// portOf gives the port of a listener: the log withholds addresses.
func portOf(addr net.Addr) string {
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return ""
	}
	return port
}
