package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/mandate-health/mandate/conformance/bench/measure"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
)

// The engines of the store.
const (
	engineEmbedded = "embedded"
	enginePostgres = "postgres"
)

// drainAfter is how long what a server does after its answers is waited for,
// such as the audit queue.
const drainAfter = 300 * time.Millisecond

// idleAfter is when the memory of a server without requests is read.
const idleAfter = 5 * time.Second

// rig is one engine with its servers.
type rig struct {
	options
	engine   string
	dir      string
	clock    clock.Clock
	ids      ids.Source
	clients  *clients
	pg       *postgres
	mandate  *side
	upstream *side
	floor    *side
	proxy    *side
	// sessions are the cookies of signed-in people.
	sessions map[string]map[string]string
	children []*child
	// toSeals has a span last until its own audit events are sealed.
	toSeals bool
	// counted are the commits of both databases when all had been told, nil
	// when something was sent since.
	counted *[2]int64
}

// say tells who waits how far a mode is.
func (r *rig) say(format string, args ...any) { fmt.Fprintf(r.log, "  "+format+"\n", args...) }

// most gives the largest number of connections.
func (r *rig) most() int { return slices.Max(r.connections) }

// open starts everything and measures the start.
func (r *rig) open(ctx context.Context) (startFigures, error) {
	var err error
	if r.clients, err = newClients(r.ids); err != nil {
		return startFigures{}, err
	}
	if r.engine == enginePostgres {
		if r.pg, err = openPostgres(ctx); err != nil {
			return startFigures{}, err
		}
	}
	figures, err := r.startMandate(ctx)
	if err != nil {
		return figures, err
	}
	return figures, r.startFloor(ctx)
}

// close ends what was started.
func (r *rig) close(ctx context.Context) error {
	var faults []error
	for _, c := range r.children {
		faults = append(faults, c.stop())
	}
	r.children, r.proxy = nil, nil
	if r.pg != nil {
		faults = append(faults, r.pg.close(context.WithoutCancel(ctx)))
		r.pg = nil
	}
	return errors.Join(faults...)
}

// storeFlags are the flags that choose the store of that name.
func (r *rig) storeFlags(name string) ([]string, error) {
	data := filepath.Join(r.dir, name)
	flags := []string{"--data", data, "--keys", "file:" + data + "-keys/kek.json"}
	if r.pg == nil {
		return flags, nil
	}
	dsn, err := r.pg.dsn(name)
	return append(flags, "--database", dsn), err
}

// startMandate starts two servers: one with everything, whose start is measured
// and whose sandbox is the upstream from then on, and one in front of it, which
// is the one that is measured. So the work of the upstream is never counted as
// the server's.
func (r *rig) startMandate(ctx context.Context) (startFigures, error) {
	figures := startFigures{Engine: r.engine}
	begin := r.clock.Now()
	first, c, err := r.startDev(ctx, startDB)
	if err != nil {
		return figures, err
	}
	figures.DevReady = millis(r.clock.Now().Sub(begin))
	if r.mandate, err = mandateSide(ctx, first, c.pid()); err != nil {
		return figures, err
	}
	if err := r.firstToken(); err != nil {
		return figures, err
	}
	figures.DevToken = millis(r.clock.Now().Sub(begin))
	if err := pause(ctx, r.idle); err != nil {
		return figures, err
	}
	m, err := measure.ReadMemory(c.pid())
	if err != nil {
		return figures, err
	}
	figures.DevIdle, figures.DevIdleAnon = m.Resident, m.Anonymous
	if r.upstream, err = upstreamSide(first, c.pid()); err != nil {
		return figures, err
	}
	ready, c, err := r.startDev(ctx, subjectDB, "--upstream", first.Upstream, "--limit-signin", crowdFromOne)
	if err != nil {
		return figures, err
	}
	r.mandate, err = mandateSide(ctx, ready, c.pid())
	return figures, err
}

// startDev starts a development server on a store of its own and waits until it
// is ready.
func (r *rig) startDev(ctx context.Context, name string, flags ...string) (kit.Ready, *child, error) {
	registered, readyFile := filepath.Join(r.dir, name+"-clients.json"), filepath.Join(r.dir, name+"-ready.json")
	if err := r.clients.write(registered); err != nil {
		return kit.Ready{}, nil, err
	}
	store, err := r.storeFlags(name)
	if err != nil {
		return kit.Ready{}, nil, err
	}
	args := slices.Concat([]string{"dev", "--no-families", "--listen", "127.0.0.1:0", "--ready-file", readyFile, "--client", registered}, store, flags)
	c, err := startChild(ctx, r.binary, args...)
	if err != nil {
		return kit.Ready{}, nil, err
	}
	r.children = append(r.children, c)
	ready, err := readyOf(ctx, c, readyFile)
	return ready, c, err
}

// readyOf waits until a server has described itself in a file.
func readyOf(ctx context.Context, c *child, file string) (kit.Ready, error) {
	exists := func() bool {
		_, err := os.Stat(file)
		return err == nil
	}
	if err := c.until(ctx, exists); err != nil {
		return kit.Ready{}, err
	}
	return kit.ReadReady(file)
}

func (r *rig) firstToken() error {
	forms, err := r.clients.assertions(algES384, r.mandate.token, 1, r.clock, r.ids)
	if err != nil {
		return err
	}
	c := &conn{addr: r.mandate.addr, clock: r.clock}
	defer c.close()
	_, err = c.wantToken(request{method: http.MethodPost, path: r.mandate.tokenPath, host: r.mandate.host, form: forms[0]})
	return err
}

// startFloor starts this program again as the floor, with the documents that
// the server answers.
func (r *rig) startFloor(ctx context.Context) error {
	cfg, err := r.floorConfig()
	if err != nil {
		return err
	}
	raw, err := json.Marshal(cfg) //nolint:gosec // a secret of this run, for the floor of this run
	if err != nil {
		return err
	}
	path := filepath.Join(r.dir, "floor.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c, addr, err := startSelf(ctx, self, floorCommand, path)
	if err != nil {
		return err
	}
	r.children = append(r.children, c)
	r.floor = floorSide(addr, c.pid(), r.mandate)
	return nil
}

func (r *rig) floorConfig() (floorConfig, error) {
	cfg := floorConfig{File: filepath.Join(r.dir, "floor.log"), JWKS: r.clients.public, Secret: r.clients.secret, Documents: map[string]string{}}
	if r.pg != nil {
		dsn, err := r.pg.dsn(floorDB)
		if err != nil {
			return cfg, err
		}
		cfg.Database = dsn
	}
	c := &conn{addr: r.mandate.addr, clock: r.clock}
	defer c.close()
	for _, path := range r.mandate.documents {
		got, err := c.send(request{method: http.MethodGet, path: path, host: r.mandate.host}.bytes())
		if err != nil {
			return cfg, err
		}
		if got.status != http.StatusOK {
			return cfg, refused(path, got)
		}
		cfg.Documents[path] = string(got.body)
	}
	return cfg, r.consentPage(&cfg)
}

// durability tells how a commit of either side is made safe.
func (r *rig) durability() map[string]string {
	if r.pg == nil {
		return map[string]string{
			"mandate": "SQLite, WAL, synchronous=FULL as store/embedded declares; not visible from outside",
			"floor":   "one append and fsync, shared by those who arrive during one; reads nothing",
		}
	}
	both := fmt.Sprint(r.pg.durability)
	return map[string]string{"mandate": both, "floor": both}
}
