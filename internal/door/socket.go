package door

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/mandate-health/mandate/internal/errs"
)

// maxAddress is what every system takes as the path of a socket.
const maxAddress = 100

// address runs fn with a path by which a socket is bound or reached. One that is
// too long for the system leads through the open folder, where /proc is.
func address(path string, fn func(string) error) error {
	if len(path) <= maxAddress {
		return fn(path)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return fn("/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + filepath.Base(path))
}

func dial(ctx context.Context, path string) (conn *net.UnixConn, err error) {
	err = address(path, func(at string) error {
		c, err := new(net.Dialer).DialContext(ctx, "unix", at)
		conn, _ = c.(*net.UnixConn)
		return err
	})
	return conn, err
}

// Listen opens the door at a path for the server's own user and root, and for
// the members of a group when one is named. A socket that a dead server left is
// replaced. Errors: errs.Conflict (door-taken) when another server answers
// there; errs.Invalid (door-group); errs.Unavailable (door-not-opened).
func Listen(ctx context.Context, path, group string) (*Door, error) {
	gid := -1
	if group != "" {
		g, err := user.LookupGroup(group)
		if err == nil {
			gid, err = strconv.Atoi(g.Gid)
		}
		if err != nil {
			return nil, errs.Wrap(err, errs.Invalid, "door-group", "There is no group "+group+" on this machine.")
		}
	}
	if c, err := dial(ctx, path); err == nil {
		return nil, errors.Join(errs.New(errs.Conflict, "door-taken", "Another server answers at "+path+"."), c.Close())
	}
	d := &Door{path: path, shared: gid >= 0}
	err := address(path, func(at string) error {
		if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
		l, err := new(net.ListenConfig).Listen(ctx, "unix", at)
		d.listener, _ = l.(*net.UnixListener)
		return err
	})
	if err == nil {
		// Its name may be one of /proc by then.
		d.listener.SetUnlinkOnClose(false)
		err = permit(path, gid)
	}
	if err != nil {
		d.close()
		return nil, errs.Wrap(err, errs.Unavailable, "door-not-opened", "The socket "+path+" cannot be made: look at its folder, or choose another place with operator_socket.")
	}
	return d, nil
}

// permit says who may open the socket. Until then the folder and the question
// for the caller's user keep others out.
func permit(path string, gid int) error {
	if gid < 0 {
		return os.Chmod(path, 0o600)
	}
	if err := os.Chown(path, -1, gid); err != nil {
		return err
	}
	return os.Chmod(path, 0o660) //nolint:gosec // the group was named for that
}

// User is who calls, as the operating system says.
type User struct {
	// Name is the user's name, or its number when it has none; empty where the
	// operating system does not tell.
	Name string
}

// caller gives who is at the other end and whether they may enter.
func (d *Door) caller(c *net.UnixConn) (User, error) {
	uid, known, err := peer(c)
	if err != nil {
		return User{}, errs.Wrap(err, errs.Unavailable, "door-caller", "The operating system does not say who calls.")
	}
	if !known {
		return User{}, nil
	}
	if uid != os.Geteuid() && uid != 0 && !d.shared {
		return User{}, errs.New(errs.Forbidden, "door-closed", "Only the server's own user and root may do this here.")
	}
	name := strconv.Itoa(uid)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return User{Name: name}, nil
}

// errNoDoor says why nobody answers at a path.
func errNoDoor(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return errs.Wrap(err, errs.NotFound, "door-absent", "No server answers at "+path+".")
	case errors.Is(err, fs.ErrPermission):
		return errs.Wrap(err, errs.Forbidden, "door-closed", "The server's socket "+path+
			" is not open to you: run this as the server's user or as root, or be a member of its operator_group.")
	}
	return errs.Wrap(err, errs.Unavailable, "door-broken", "The server's socket "+path+" cannot be reached.")
}
