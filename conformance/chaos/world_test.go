package chaos_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/chaos"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/freeport"
	"github.com/mandate-health/mandate/internal/testpg"
	"github.com/mandate-health/mandate/internal/testrun"
)

// long runs the long form.
var long = flag.Bool("long", false, "run the long form, as make chaos does")

// either gives the figure for the short or the long form.
func either(short, full int) int {
	if *long {
		return full
	}
	return short
}

// Limits of one step.
const (
	stepLimit = 90 * time.Second
	backLimit = 60 * time.Second
)

// binary is the program under test.
var binary string

// TestMain builds it once.
func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "mandate-chaos-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if binary, err = testrun.Build(context.Background(), dir); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// world is a server under load.
type world struct {
	*chaos.Driver
	node *chaos.Node
	// load is stopped by stop.
	wg   sync.WaitGroup
	stop context.CancelFunc
}

// freeAddress gives a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeport.Take()
	must(t, err)
	return address
}

// begin starts a server and its load.
func begin(t *testing.T, args ...string) *world {
	t.Helper()
	w := &world{node: &chaos.Node{Node: testrun.Node{Binary: binary, Dir: t.TempDir(), Args: append(args, "--listen", freeAddress(t))}}}
	t.Cleanup(func() {
		if err := w.node.Stop(); err != nil {
			t.Error(err)
		}
	})
	w.Driver = chaos.NewDriver(w.start(t))
	w.load(t)
	return w
}

func (w *world) start(t *testing.T) *kit.Target {
	t.Helper()
	target, err := w.node.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// load lets three apps live until rest.
func (w *world) load(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	for _, who := range [][2]string{{"public", "rosa"}, {"symmetric", "noah"}, {"asymmetric", "joaquin"}} {
		w.wg.Go(func() { w.Run(ctx, who[0], who[1]) })
	}
	t.Cleanup(w.rest)
}

// rest ends the load and waits for the last answers.
func (w *world) rest() {
	w.stop()
	w.wg.Wait()
}

// wait lets so many lives complete and so many answers be lost.
func (w *world) wait(t *testing.T, lives, lost int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stepLimit)
	defer cancel()
	if err := w.Wait(ctx, lives, lost); err != nil {
		t.Fatalf("%v\n%v\n%s", err, w.Faults(), w.node.Tail())
	}
}

// during runs one fault under load and judges what came of it.
func (w *world) during(t *testing.T, fault func(t *testing.T)) {
	t.Helper()
	w.load(t)
	w.wait(t, 3, 0)
	fault(t)
	w.verdict(t)
}

// verdict waits for the service to come back and asks the oracle.
func (w *world) verdict(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), backLimit)
	defer cancel()
	if err := w.Back(ctx); err != nil {
		t.Errorf("%v\n%s", err, w.node.Tail())
	}
	w.rest()
	_, lost := w.Counts()
	faults, judged := w.Judge(t.Context())
	for _, f := range faults {
		t.Error(f)
	}
	if t.Failed() {
		t.Log(w.node.Tail())
	}
	t.Logf("%d lives judged, %d answers lost so far", judged, lost)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sql runs a statement as the database's superuser.
func sql(t *testing.T, c *testpg.Cluster, statement string) string {
	t.Helper()
	out, err := c.SQL(statement)
	must(t, err)
	return out
}
