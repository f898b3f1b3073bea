package door

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

const (
	// maxVisits is how many commands run at once; further ones wait.
	maxVisits = 16
	// patience is how long a caller may take to say what it wants.
	patience = 10 * time.Second
)

// Door is an open socket.
type Door struct {
	path     string
	shared   bool
	listener *net.UnixListener
}

// Path is where it is.
func (d *Door) Path() string { return d.path }

// Visit is one command of a caller.
type Visit struct {
	Call
	User User

	line    *line
	answers chan answer
	asking  sync.Mutex
}

// Serve runs commands until ctx ends, and waits for those that run. handle gives
// a command's exit status; its context ends with the caller too.
func (d *Door) Serve(ctx context.Context, handle func(ctx context.Context, v *Visit) int) {
	defer d.close()
	stop := context.AfterFunc(ctx, func() { _ = d.listener.Close() })
	defer stop()
	var visits sync.WaitGroup
	defer visits.Wait()
	places := make(chan struct{}, maxVisits)
	for {
		c, err := d.listener.AcceptUnix()
		if err != nil {
			return
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			_ = c.Close()
			return
		}
		visits.Go(func() {
			defer func() { <-places }()
			d.receive(ctx, c, handle)
		})
	}
}

// receive reads what a caller wants and has it done.
func (d *Door) receive(ctx context.Context, c *net.UnixConn, handle func(context.Context, *Visit) int) {
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	v := &Visit{line: newLine(c), answers: make(chan answer)}
	exit := 1
	// The caller hears how it ended, unless it was broken off: then the status
	// would say that the command failed, and nobody knows how far it came.
	defer func() {
		if ctx.Err() == nil {
			_ = v.line.send(message{Exit: &exit})
		}
	}()
	user, err := d.caller(c)
	if err != nil {
		v.tell(err)
		return
	}
	late := time.AfterFunc(patience, cancel)
	first, err := v.line.receive()
	late.Stop()
	if err != nil || first.Call == nil {
		return
	}
	v.Call, v.User = *first.Call, user
	go v.listen(ctx, cancel)
	exit = handle(ctx, v)
}

func (v *Visit) tell(err error) {
	_, _ = fmt.Fprintln(v.Err(), "mandate:", errs.As(err).Msg)
}

// listen takes the caller's answers until it goes.
func (v *Visit) listen(ctx context.Context, gone func()) {
	defer gone()
	for {
		m, err := v.line.receive()
		if err != nil {
			return
		}
		if m.Answer == nil {
			continue
		}
		select {
		case v.answers <- *m.Answer:
		case <-ctx.Done():
			return
		}
	}
}

// ask asks the caller for something and waits for it.
func (v *Visit) ask(ctx context.Context, a ask) (answer, error) {
	v.asking.Lock()
	defer v.asking.Unlock()
	if err := v.line.send(message{Ask: &a}); err != nil {
		return answer{}, err
	}
	select {
	case got := <-v.answers:
		if got.Fault != "" {
			return got, errs.New(errs.Invalid, "door-file", got.Fault)
		}
		return got, nil
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
}

// ReadFile gives the content of a file that the caller named. Errors:
// errs.Invalid (door-file).
func (v *Visit) ReadFile(ctx context.Context, path string) ([]byte, error) {
	got, err := v.ask(ctx, ask{What: "read", Path: path})
	return got.Data, err
}

// CreateFile makes a file of the caller's, mode 0600, durably, in a folder that
// the caller named and that is made when it is missing. Errors: errs.Invalid
// (door-file), also when there is such a file.
func (v *Visit) CreateFile(ctx context.Context, path string, content []byte) error {
	_, err := v.ask(ctx, ask{What: "create", Path: path, Content: content})
	return err
}

// In is the caller's standard input; ctx is that of the visit.
func (v *Visit) In(ctx context.Context) io.Reader { return &input{ctx: ctx, visit: v} }

type input struct {
	ctx   context.Context
	visit *Visit
	left  []byte
	ended bool
}

// Read implements io.Reader.
func (i *input) Read(p []byte) (int, error) {
	if len(i.left) == 0 && !i.ended {
		got, err := i.visit.ask(i.ctx, ask{What: "input"})
		if err != nil {
			return 0, err
		}
		i.left, i.ended = got.Data, got.End
	}
	if len(i.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, i.left)
	i.left = i.left[n:]
	return n, nil
}

type output func([]byte) message

type writer struct {
	visit *Visit
	as    output
}

// Write implements io.Writer.
func (w writer) Write(p []byte) (int, error) {
	const most = 1 << 20
	for rest := p; len(rest) > 0; {
		part := rest[:min(len(rest), most)]
		if err := w.visit.line.send(w.as(part)); err != nil {
			return len(p) - len(rest), err
		}
		rest = rest[len(part):]
	}
	return len(p), nil
}

// Out is the caller's standard output, Err its standard error.
func (v *Visit) Out() io.Writer { return writer{v, func(b []byte) message { return message{Out: b} }} }

// Err is the caller's standard error.
func (v *Visit) Err() io.Writer { return writer{v, func(b []byte) message { return message{Err: b} }} }

func (d *Door) close() {
	if d.listener != nil {
		_ = d.listener.Close()
		_ = os.Remove(d.path)
	}
}
