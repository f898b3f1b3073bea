package app

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/health"
)

// HTTPConfig is the limits of the HTTP servers. Zero values take the defaults.
type HTTPConfig struct {
	ReadHeaderTimeout time.Duration `name:"read-header-timeout" default:"10s" help:"Longest time in which a client must have sent the head of a request."`
	ReadTimeout       time.Duration `name:"read-timeout" default:"60s" help:"Longest time in which a client must have sent a whole request."`
	WriteTimeout      time.Duration `name:"write-timeout" default:"120s" help:"Longest time that one answer may take."`
	IdleTimeout       time.Duration `name:"idle-timeout" default:"120s" help:"How long a connection without a request is kept."`
	MaxHeaderBytes    int           `name:"max-header-bytes" default:"65536" help:"Largest head of a request."`
	MaxConnections    int           `name:"max-connections" default:"8192" help:"Connections at once; further ones wait to be accepted."`
	DrainDelay        time.Duration `name:"drain-delay" default:"3s" help:"How long /readyz says 503 before the listener closes, so that a balancer can turn away."`
	DrainTimeout      time.Duration `name:"drain-timeout" default:"20s" help:"How long requests in flight may take to finish at the end."`
	// RedirectListen is a second listener without TLS that leads browsers to
	// the public URL and refuses everything else.
	RedirectListen string `name:"redirect-listen" help:"Address of a plain HTTP listener that leads the start page to https and refuses the rest." placeholder:"HOST:PORT"`
}

// Validate reports every fault of the settings.
func (c *HTTPConfig) Validate() error {
	var f config.Faults
	for key, d := range map[string]time.Duration{
		"read_header_timeout": c.ReadHeaderTimeout, "read_timeout": c.ReadTimeout, "write_timeout": c.WriteTimeout,
		"idle_timeout": c.IdleTimeout, "drain_delay": c.DrainDelay, "drain_timeout": c.DrainTimeout,
	} {
		if d < 0 {
			f.Add(key, "a time cannot be negative")
		}
	}
	if c.MaxHeaderBytes < 0 || c.MaxHeaderBytes > 0 && c.MaxHeaderBytes < 4096 {
		f.Add("max_header_bytes", "%d is less than 4096, which a launch needs", c.MaxHeaderBytes)
	}
	if c.MaxConnections < 0 {
		f.Add("max_connections", "%d is less than 1", c.MaxConnections)
	}
	if _, _, err := net.SplitHostPort(c.RedirectListen); c.RedirectListen != "" && err != nil {
		f.Add("redirect_listen", "%q is not HOST:PORT", c.RedirectListen)
	}
	return f.Err()
}

// complete fills in the defaults of a configuration that was not loaded.
func (c HTTPConfig) complete() HTTPConfig {
	def := HTTPConfig{
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, MaxConnections: 8192, DrainTimeout: 20 * time.Second,
	}
	for _, d := range []struct{ set, def *time.Duration }{
		{&c.ReadHeaderTimeout, &def.ReadHeaderTimeout}, {&c.ReadTimeout, &def.ReadTimeout}, {&c.WriteTimeout, &def.WriteTimeout},
		{&c.IdleTimeout, &def.IdleTimeout}, {&c.DrainTimeout, &def.DrainTimeout},
	} {
		if *d.set == 0 {
			*d.set = *d.def
		}
	}
	if c.MaxHeaderBytes == 0 {
		c.MaxHeaderBytes = def.MaxHeaderBytes
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = def.MaxConnections
	}
	return c
}

// group is the HTTP servers of one process.
type group struct {
	log     *slog.Logger
	cfg     HTTPConfig
	ready   *health.Readiness
	servers []*http.Server
	failed  chan error
}

// start serves a listener until stop.
func (g *group) start(l net.Listener, h http.Handler, cfg *tls.Config) {
	if g.failed == nil {
		g.failed = make(chan error, 8)
	}
	s := &http.Server{
		Handler: g.leaving(h), ReadHeaderTimeout: g.cfg.ReadHeaderTimeout, ReadTimeout: g.cfg.ReadTimeout,
		WriteTimeout: g.cfg.WriteTimeout, IdleTimeout: g.cfg.IdleTimeout, MaxHeaderBytes: g.cfg.MaxHeaderBytes,
		ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelWarn),
	}
	l = netutil.LimitListener(l, g.cfg.MaxConnections)
	if cfg != nil {
		l = tls.NewListener(l, cfg)
	}
	g.servers = append(g.servers, s)
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			g.failed <- err
		}
	}()
}

// leaving asks clients of a server that drains to send their next request on
// another connection, so that none is cut when this one closes.
func (g *group) leaving(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.ready.Draining() {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

// wait returns when ctx ends or a server fails. When ctx ends it first says for
// a while that the server is not ready, and still answers.
func (g *group) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case err := <-g.failed:
		return err
	}
	g.ready.Drain()
	if g.cfg.DrainDelay > 0 {
		g.log.InfoContext(context.WithoutCancel(ctx), "draining: not ready any more, still answering", "delay", g.cfg.DrainDelay.String())
	}
	timer := time.NewTimer(g.cfg.DrainDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case err := <-g.failed:
		return err
	}
}

// stop lets requests in flight finish. The newest server is asked first: the
// sandbox, which is older, still answers the gateway meanwhile.
func (g *group) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), g.cfg.DrainTimeout)
	defer cancel()
	for i := len(g.servers) - 1; i >= 0; i-- {
		if err := g.servers[i].Shutdown(ctx); err != nil {
			g.log.Warn("requests in flight were cut", "err", err)
			_ = g.servers[i].Close()
		}
	}
}
