package door

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/mandate-health/mandate/internal/errs"
)

// Terminal is what a caller lends to its command: nothing else is read, written
// or made, whatever the server asks for.
type Terminal struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
	// Reads are the files that the command may read; Makes is the folder in
	// which it may make files, empty for none.
	Reads []string
	Makes string
}

// Caller is a connection to a running server.
type Caller struct{ line *line }

// Dial reaches the server behind a door. Errors: errs.NotFound (door-absent)
// when none is there; errs.Forbidden (door-closed); errs.Unavailable
// (door-broken).
func Dial(ctx context.Context, path string) (*Caller, error) {
	conn, err := dial(ctx, path)
	if err != nil {
		return nil, errNoDoor(path, err)
	}
	return &Caller{line: newLine(conn)}, nil
}

// Close hangs up.
func (c *Caller) Close() error { return c.line.conn.Close() }

// Do has the server run a command and gives its exit status. Errors:
// errs.Unavailable (door-gone) when the server ended before the command did.
func (c *Caller) Do(ctx context.Context, call Call, t Terminal) (int, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	if err := c.line.send(message{Call: &call}); err != nil {
		return 1, c.gone(ctx, err)
	}
	for {
		m, err := c.line.receive()
		if err != nil {
			return 1, c.gone(ctx, err)
		}
		switch {
		case m.Exit != nil:
			return *m.Exit, nil
		case m.Out != nil:
			_, err = t.Out.Write(m.Out)
		case m.Err != nil:
			_, err = t.Err.Write(m.Err)
		case m.Ask != nil:
			err = c.line.send(message{Answer: t.answer(*m.Ask)})
		}
		if err != nil {
			return 1, err
		}
	}
}

func (c *Caller) gone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errs.Wrap(ctx.Err(), errs.Unavailable, "door-gone", "Stopped: the server ends the command too.")
	}
	return errs.Wrap(err, errs.Unavailable, "door-gone", "The server went away before the command had ended: what it had done by then stays done.")
}

// answer gives the server what it asks for, if it was named.
func (t Terminal) answer(a ask) *answer {
	switch a.What {
	case "input":
		buf := make([]byte, 64<<10)
		n, err := t.In.Read(buf)
		return &answer{Data: buf[:n], End: err != nil}
	case "read":
		if !slices.Contains(t.Reads, a.Path) {
			return &answer{Fault: "The server asked for the file " + a.Path + ", which the command does not name."}
		}
		raw, err := os.ReadFile(a.Path)
		return &answer{Data: raw, Fault: fault(err)}
	case "create":
		if t.Makes == "" || filepath.Dir(a.Path) != filepath.Clean(t.Makes) {
			return &answer{Fault: "The server wanted to make the file " + a.Path + ", which the command does not name."}
		}
		return &answer{Fault: fault(Create(a.Path, a.Content))}
	}
	return &answer{Fault: "The server asked for something that this program does not know."}
}

func fault(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Create makes a file, mode 0600, and its folder, mode 0700, durably. It
// overwrites none.
func Create(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}
