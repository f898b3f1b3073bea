package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
)

// floorCommand is the hidden first argument that makes this program the floor.
const floorCommand = "floor"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	binary      string
	engines     []string
	connections []int
	duration    time.Duration
	warm        time.Duration
	settle      time.Duration
	idle        time.Duration
	drain       time.Duration
	requests    int
	// modes are the parts of the run, size the live rows of the mode growth and
	// chainLength the refreshes of the mode chain.
	modes map[string]bool
	// rounds is how often a mode measures what it compares.
	rounds      int
	size        int
	chainLength int
	// consentRows is how many Consents the mode consents files.
	consentRows int
	only        *regexp.Regexp
	json        string
	profile     string
	gate        bool
	where       bool
	log         io.Writer
	short       bool
}

const usage = `Usage: go run ./conformance/bench [flags]

Builds mandate, starts it on each store and measures it side by side with its
floor: a server that does only the signatures and commits of each workload.
Ratios are of one sitting; absolute numbers move with the machine's neighbours.
All defaults together take about fifteen minutes. -modes all adds refreshes of
long chains, a crowd of 256 connections, 500 log-ins at once and, on PostgreSQL, a
store that is full:
about fifteen more.

`

// readOptions reads the flags. Errors: flag.ErrHelp, or what is wrong.
func readOptions(args []string, out io.Writer) (options, error) {
	o := options{drain: drainAfter, rounds: 3}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() {
		fmt.Fprint(out, usage)
		f.PrintDefaults()
	}
	f.StringVar(&o.binary, "binary", "", "measure this mandate `program` in place of a fresh build")
	engines := f.String("engines", enginePostgres+","+engineEmbedded, "stores to measure")
	connections := f.String("connections", "1,16,64", "numbers of parallel connections")
	f.DurationVar(&o.duration, "duration", 3*time.Second, "time of one phase")
	f.DurationVar(&o.warm, "warm", time.Second, "time of the warm-up before it")
	f.DurationVar(&o.settle, "settle", statsLag, "wait until PostgreSQL has counted all commits; less makes them inexact")
	f.DurationVar(&o.idle, "idle", idleAfter, "wait before the idle memory is read")
	f.IntVar(&o.requests, "requests", 10_000, "most requests of one phase, and assertions signed ahead for it")
	only := f.String("only", "", "measure only workloads whose name matches this `regexp`")
	f.StringVar(&o.json, "json", "", "write all figures to this `file`")
	f.StringVar(&o.profile, "profile", "", "write profiles of the measured server to this `folder`, which costs a little itself")
	f.BoolVar(&o.gate, "gate", false, "fail when commits, reads, WAL bytes or processor time per request exceed the goals, or a request fails")
	f.BoolVar(&o.where, "where", false, "tell which tables and indexes the WAL bytes of each workload went to")
	o.log = out
	list := f.String("modes", modeWorkloads+",sealing", "parts to run: "+strings.Join(modeNames(), ", ")+" or all")
	f.IntVar(&o.size, "size", 1_000_000, "live rows of each kind that -modes growth loads; expired ones are five times as many")
	f.IntVar(&o.consentRows, "consents", 100_000, "Consents that -modes consents files, ten to a patient")
	f.IntVar(&o.chainLength, "length", 1000, "refreshes before that -modes chain compares with none")
	quick := f.Bool("quick", false, "short look: one second, 16 connections")
	f.BoolVar(&o.short, "short", false, "shortest look, of which only the exact figures mean something: -quick with little data")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if *quick || o.short {
		o.duration, o.warm, o.requests, *connections = time.Second, 300*time.Millisecond, 3000, "16"
	}
	if o.short {
		o.shorten()
	}
	var err error
	if o.modes, err = readModes(*list); err != nil {
		return o, err
	}
	return o, o.check(*engines, *connections, *only, f.Args())
}

// shorten leaves so little that a test may run it.
func (o *options) shorten() {
	o.size, o.chainLength, o.rounds, o.consentRows = 2000, 20, 1, 200
	o.duration, o.warm, o.settle, o.idle, o.drain = 300*time.Millisecond, 0, 0, 0, 0
}

// check reads the lists and refuses what cannot be run.
func (o *options) check(engines, connections, only string, rest []string) (err error) {
	if len(rest) > 0 {
		return fmt.Errorf("%q is not understood", rest[0])
	}
	if o.size < 10 || o.chainLength < 1 || o.consentRows < mostConsents {
		return errors.New("-size must be at least 10, -length at least 1 and -consents at least 50")
	}
	if o.modes["growth"] && !strings.Contains(engines, enginePostgres) {
		return errGrowth
	}
	if o.duration <= 0 || o.requests < 10 || o.warm < 0 || o.settle < 0 || o.idle < 0 {
		return errors.New("the times must not be negative, -duration must be more than 0 and -requests at least 10")
	}
	if o.only, err = regexp.Compile(only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	for _, engine := range strings.Split(engines, ",") {
		if engine != enginePostgres && engine != engineEmbedded {
			return fmt.Errorf("-engines: %q is neither %s nor %s", engine, enginePostgres, engineEmbedded)
		}
		o.engines = append(o.engines, engine)
	}
	for _, text := range strings.Split(connections, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1024 {
			return fmt.Errorf("-connections: %q is not a number from 1 to 1024", text)
		}
		o.connections = append(o.connections, n)
	}
	return nil
}

// run is the program.
func run(ctx context.Context, args []string, out, log io.Writer) (err error) {
	if len(args) == 2 && args[0] == floorCommand {
		return serveFloor(ctx, args[1], out)
	}
	if len(args) == 2 && args[0] == proxyCommand {
		return serveProxy(ctx, args[1], out)
	}
	o, err := readOptions(args, log)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mandate-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.binary == "" {
		o.binary = filepath.Join(dir, "mandate")
		if err := build(ctx, o.binary, log); err != nil {
			return err
		}
	}
	rep := &report{Machine: machine(), Durability: map[string]map[string]string{}}
	for _, engine := range o.engines {
		if err := rep.engine(ctx, o, engine, filepath.Join(dir, engine), log); err != nil {
			return err
		}
		if err := rep.human(out, engine); err != nil {
			return err
		}
	}
	if o.json != "" {
		if err := rep.save(o.json); err != nil {
			return err
		}
	}
	return rep.verdict(o.gate)
}

// verdict fails a gated run that misses an exact goal.
func (rep *report) verdict(gate bool) error {
	if !gate {
		return nil
	}
	missed := rep.misses()
	if n := rep.failures(); n > 0 {
		missed = append(missed, fmt.Sprintf("%d requests failed", n))
	}
	if len(missed) == 0 {
		return nil
	}
	return fmt.Errorf("goals missed:\n  %s", strings.Join(missed, "\n  "))
}

// engine measures one store.
func (rep *report) engine(ctx context.Context, o options, engine, dir string, log io.Writer) (err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	r := &rig{options: o, engine: engine, dir: dir, clock: clock.System{}, sessions: map[string]map[string]string{}}
	defer func() { err = errors.Join(err, r.close(ctx)) }()
	fmt.Fprintf(log, "%s: starting\n", engine)
	figures, err := r.open(ctx)
	if err != nil {
		return err
	}
	rep.Durability[engine] = r.durability()
	for _, w := range workloads() {
		if !o.wants(modeWorkloads) || !o.only.MatchString(w.name) {
			continue
		}
		fmt.Fprintf(log, "%s: %s\n", engine, w.name)
		got, err := r.measureAll(ctx, w)
		if errors.Is(err, errAbsent) {
			rep.Findings = append(rep.Findings, finding{Engine: engine, Mode: w.name, What: err.Error(), Value: number(math.NaN())})
			continue
		}
		if err != nil {
			return err
		}
		rep.Outcomes, rep.Findings = append(rep.Outcomes, got), append(rep.Findings, got.added()...)
	}
	if err := rep.modes(ctx, r, log); err != nil {
		return err
	}
	err = r.serveStart(ctx, &figures)
	rep.Starts = append(rep.Starts, figures)
	return err
}

// build makes the program that is measured, as it is shipped.
func build(ctx context.Context, path string, log io.Writer) error {
	fmt.Fprintln(log, "building mandate")
	//nolint:gosec // the path is in a folder that this program made
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "github.com/mandate-health/mandate/cmd/mandate")
	c.Stdout, c.Stderr = log, log
	if err := c.Run(); err != nil {
		return fmt.Errorf("mandate was not built: %w", err)
	}
	return nil
}
