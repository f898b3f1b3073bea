package backup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mandate-health/mandate/internal/errs"
)

// partial ends the name of a backup that is being written.
const partial = ".partial"

// stalePartial is after how long a partial file belongs to nobody.
const stalePartial = 48 * time.Hour

// Folder is a Place: a folder, best on a share of another machine.
type Folder struct {
	Dir string
	// Immutable asks the file system to let nobody change or delete a backup,
	// root included, until the flag is taken off.
	Immutable bool
}

// OpenFolder opens a folder that is there. Errors: errs.Invalid.
func OpenFolder(place string, immutable bool) (Folder, error) {
	info, err := os.Stat(place)
	if err != nil || !info.IsDir() {
		return Folder{}, errs.Wrap(err, errs.Invalid, "backup-place-missing", fmt.Sprintf(
			"The folder %s for backups is not there. Make or mount it first: Mandate does not, so that a share that is not mounted is noticed.", place))
	}
	return Folder{Dir: place, Immutable: immutable}, nil
}

// String names the folder.
func (f Folder) String() string { return f.Dir }

// Put implements Place.
func (f Folder) Put(_ context.Context, h Header, write func(io.Writer) error) (Kept, error) {
	path := filepath.Join(f.Dir, fileName(h))
	temporary := path + partial
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return Kept{}, f.unwritable(err)
	}
	// After publishing it is gone already; what stays the next sweep takes.
	defer func() { _ = os.Remove(temporary) }()
	out := bufio.NewWriterSize(file, 1<<20)
	err = write(out)
	if e := out.Flush(); err == nil && e != nil {
		err = f.unwritable(e)
	}
	if e := file.Sync(); err == nil && e != nil {
		err = f.unwritable(e)
	}
	info, e := file.Stat()
	if e = errors.Join(e, file.Close()); err == nil && e != nil {
		err = f.unwritable(e)
	}
	if err != nil {
		return Kept{}, err
	}
	if err := f.publish(temporary, path); err != nil {
		return Kept{}, err
	}
	return Kept{Header: h, Path: path, Size: info.Size()}, nil
}

// publish gives a finished file its name, which must be free.
func (f Folder) publish(temporary, path string) error {
	err := unix.Renameat2(unix.AT_FDCWD, temporary, unix.AT_FDCWD, path, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		// Network file systems know links but not this rename.
		err = os.Link(temporary, path)
	}
	if errors.Is(err, os.ErrExist) {
		return errs.Wrap(err, errs.Conflict, "backup-exists", fmt.Sprintf("There is a file %s already; a backup is never overwritten.", path))
	}
	if err != nil {
		return f.unwritable(err)
	}
	if err := syncFolder(f.Dir); err != nil {
		return f.unwritable(err)
	}
	if !f.Immutable {
		return nil
	}
	if err := setImmutable(path, true); err != nil {
		return errs.Wrap(err, errs.Unavailable, "backup-not-immutable", fmt.Sprintf(
			"The backup %s is written, but its file system refused to make it immutable: that takes ext4, xfs or btrfs and the capability CAP_LINUX_IMMUTABLE.", path))
	}
	return nil
}

func (f Folder) unwritable(cause error) error {
	return errs.Wrap(cause, errs.Unavailable, "backup-unwritable", fmt.Sprintf(
		"The backup cannot be written to %s: check space, permissions and the mount.", f.Dir))
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}

// immutable is FS_IMMUTABLE_FL of Linux.
const immutable = 0x10

// setImmutable sets or takes off the flag that chattr calls i.
func setImmutable(path string, on bool) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	flags, err := unix.IoctlGetUint32(int(file.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return err
	}
	if on == (flags&immutable != 0) {
		return nil
	}
	return unix.IoctlSetPointerInt(int(file.Fd()), unix.FS_IOC_SETFLAGS, int(flags^immutable))
}

// List implements Place. Files that are no backups are left out.
func (f Folder) List(context.Context) ([]Kept, error) {
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, "backup-unreadable", fmt.Sprintf("The folder %s cannot be read.", f.Dir))
	}
	var all []Kept
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		k, err := Stat(filepath.Join(f.Dir, e.Name()))
		if err == nil {
			all = append(all, k)
		}
	}
	return byAge(all), nil
}

// Open implements Place.
func (f Folder) Open(_ context.Context, k Kept) (io.ReadCloser, error) { return OpenFile(k.Path) }

// Stat reads the header of one backup. Errors: errs.Invalid, errs.Unavailable.
func Stat(path string) (Kept, error) {
	file, err := OpenFile(path)
	if err != nil {
		return Kept{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return Kept{}, errs.Wrap(err, errs.Unavailable, "backup-unreadable", fmt.Sprintf("The backup %s cannot be read.", path))
	}
	h, err := ReadHeader(file)
	return Kept{Header: h, Path: path, Size: info.Size()}, err
}

// OpenFile opens a backup for reading. Errors: errs.Unavailable.
func OpenFile(path string) (*os.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, "backup-unreadable", fmt.Sprintf("The backup %s cannot be read.", path))
	}
	return file, nil
}

// Remove implements Place.
func (f Folder) Remove(_ context.Context, k Kept) error {
	if f.Immutable {
		if err := setImmutable(k.Path, false); err != nil {
			return err
		}
	}
	return os.Remove(k.Path)
}

// Sweep implements Place.
func (f Folder) Sweep(_ context.Context, now time.Time) error {
	left, err := filepath.Glob(filepath.Join(f.Dir, "*"+suffix+partial))
	if err != nil {
		return err
	}
	for _, path := range left {
		if info, err := os.Stat(path); err == nil && now.Sub(info.ModTime()) > stalePartial {
			_ = os.Remove(path) // the next sweep tries again
		}
	}
	return nil
}
