package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/mandate-health/mandate/internal/door"
	"github.com/mandate-health/mandate/internal/errs"
)

// DoorConfig says where commands on this machine reach the running server.
type DoorConfig struct {
	// Socket is the path; empty means a file in the data folder, and none with
	// PostgreSQL, where commands work beside the server.
	Socket string `name:"operator-socket" key:"operator_socket" help:"Unix socket by which commands on this machine act inside the running server (left out: operator.sock in the data folder; none with --database)." placeholder:"PATH"`
	// Group may use it besides the server's own user and root.
	Group string `name:"operator-group" key:"operator_group" help:"Group of this machine whose members may use that socket too; it must lie where they can reach it." placeholder:"GROUP"`
}

// doorPath gives where the door is, "" for nowhere.
func (c *Config) doorPath() string {
	if c.Door.Socket != "" || c.Database != "" {
		return c.Door.Socket
	}
	return filepath.Join(c.Data, "operator.sock")
}

// openDoor opens the door, nil when there is none. A server without it serves
// all the same.
func (a *App) openDoor(ctx context.Context) *door.Door {
	path := a.cfg.doorPath()
	if path == "" {
		return nil
	}
	d, err := door.Listen(ctx, path, a.cfg.Door.Group)
	if err != nil {
		a.log.WarnContext(ctx, "no operator commands while this server runs", "err", err)
		return nil
	}
	return d
}

// visit runs a command of somebody on this machine inside the server: the same
// command, with the same questions for roles and the same record.
func (a *App) visit(ctx context.Context, v *door.Visit) (exit int) {
	s := &streams{ctx: ctx, in: v.In(ctx), out: v.Out(), err: v.Err(), files: v, served: a, peer: v.User.Name}
	defer func() {
		if fault := recover(); fault != nil {
			a.log.ErrorContext(ctx, "operator command failed", "command", v.Command, "fault", fmt.Sprint(fault))
			exit = s.ended(errors.New("the server failed to run the command; its log says more"))
		}
	}()
	if v.Version != Version {
		return s.ended(fmt.Errorf("the running server is version %s and this program is %s: use the server's program, or restart the server", Version, v.Version))
	}
	command, err := insideCommand(v.Call)
	if err != nil {
		return s.ended(explain(err))
	}
	a.log.InfoContext(ctx, "operator command", "command", v.Command)
	return s.ended(command.Run(s))
}

// runner is a command that was read from the command line.
type runner interface{ Run(s *streams) error }

// insideCommand gives the command that a caller's program understood.
func insideCommand(c door.Call) (runner, error) {
	var cli commands
	parser, err := kong.New(&cli)
	if err != nil {
		return nil, err
	}
	for _, leaf := range parser.Model.Leaves(false) {
		if commandPath(leaf) != c.Command || !actsInside(leaf) {
			continue
		}
		target, ok := leaf.Target.Addr().Interface().(runner)
		if !ok {
			break
		}
		if err := json.Unmarshal(c.Flags, target); err != nil {
			return nil, errs.Wrap(err, errs.Invalid, "door-message", "The flags of the command cannot be read.")
		}
		if !insists(target) {
			return target, nil
		}
	}
	return nil, errs.New(errs.NotSupported, "door-command", "The running server does not do "+c.Command+": stop it first.")
}

// commandPath gives the words of a command, such as "keys rotate".
func commandPath(n *kong.Node) string {
	var words []string
	for ; n != nil && n.Type == kong.CommandNode; n = n.Parent {
		words = append(words, n.Name)
	}
	slices.Reverse(words)
	return strings.Join(words, " ")
}

// actsInside reports whether a command is one that a running server does.
func actsInside(n *kong.Node) bool {
	noun, verb, _ := strings.Cut(commandPath(n), " ")
	switch {
	case noun == "brand" && verb == "make":
		// It prints what is to be edited and looks at nothing.
		return false
	case noun == "consent" && verb != "withdraw-template" && verb != "verify":
		// They work on files alone.
		return false
	}
	switch noun {
	case "account", "audit", "brand", "client", "consent", "explain", "grant", "jobs", "keys", "launch", "operator", "replay", "tenant", "watermark":
		return true
	}
	return false
}

// alone is a command that may need no store, or need it to itself.
type alone interface{ alone() bool }

func insists(target any) bool {
	c, ok := target.(alone)
	return ok && c.alone()
}

// filing is a command that reads files, or makes some in a folder.
type filing interface {
	files() (reads []string, makes string)
}

// stored is a command on a store.
type stored interface{ where() storeFlags }

func (f storeFlags) where() storeFlags { return f }

// inside has a running server do the command, if one has the store to itself,
// and says so; done tells whether it was done that way.
func (s *streams) inside(node *kong.Node) (exit int, done bool) {
	if node == nil || !actsInside(node) || node.Target.Kind() != reflect.Struct {
		return 0, false
	}
	target := node.Target.Addr().Interface()
	on, ok := target.(stored)
	if !ok || insists(target) {
		return 0, false
	}
	cfg, err := on.where().load(s)
	if err != nil {
		return 0, false // the command itself tells of it
	}
	path := cfg.doorPath()
	if path == "" {
		return 0, false
	}
	caller, err := door.Dial(s.ctx, path)
	switch {
	case errs.Is(err, errs.NotFound):
		return 0, false
	case err != nil:
		return s.ended(explain(err)), true
	}
	defer func() { _ = caller.Close() }()
	fmt.Fprintln(s.err, "mandate: the running server does this, by "+path)
	flags, err := json.Marshal(target)
	if err != nil {
		return s.ended(err), true
	}
	term := door.Terminal{In: s.in, Out: s.out, Err: s.err}
	if f, ok := target.(filing); ok {
		term.Reads, term.Makes = f.files()
	}
	exit, err = caller.Do(s.ctx, door.Call{Version: Version, Command: commandPath(node), Flags: flags}, term)
	if err != nil {
		return s.ended(explain(err)), true
	}
	return exit, true
}

// files is where a command reads and makes files: on this machine, or at the
// caller of a running server.
type files interface {
	ReadFile(ctx context.Context, path string) ([]byte, error)
	CreateFile(ctx context.Context, path string, content []byte) error
}

// ownFiles are those of the process.
type ownFiles struct{}

// ReadFile implements files.
func (ownFiles) ReadFile(_ context.Context, path string) ([]byte, error) { return os.ReadFile(path) }

// CreateFile implements files.
func (ownFiles) CreateFile(_ context.Context, path string, content []byte) error {
	return door.Create(path, content)
}
