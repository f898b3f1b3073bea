package backup

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mandate-health/mandate/internal/errs"
)

// suffix ends the name of every backup.
const suffix = ".mandate-backup"

// partial ends the name of a backup that is being written.
const partial = ".partial"

// stalePartial is after how long a partial file belongs to nobody.
const stalePartial = 48 * time.Hour

// Folder is the place where backups are kept: a folder, best on a share of
// another machine.
type Folder struct {
	Dir string
	// Immutable asks the file system to let nobody change or delete a backup,
	// root included, until the flag is taken off.
	Immutable bool
}

// Kept is one backup in a folder.
type Kept struct {
	Header
	Path string
	Size int64
}

// OpenFolder reads the place as an operator gives it. Errors: errs.Invalid for
// a URL, which is not offered, or for what is no folder.
func OpenFolder(place string, immutable bool) (Folder, error) {
	if scheme, _, found := strings.Cut(place, "://"); found {
		return Folder{}, errs.New(errs.Invalid, "backup-place-unsupported", fmt.Sprintf(
			"%s:// is not offered. Give a folder, such as a mounted share with snapshots or object lock,"+
				" and let a tool of the store copy the files onward: they are encrypted and signed.", scheme))
	}
	info, err := os.Stat(place)
	if err != nil || !info.IsDir() {
		return Folder{}, errs.Wrap(err, errs.Invalid, "backup-place-missing", fmt.Sprintf(
			"The folder %s for backups is not there. Make or mount it first: Mandate does not, so that a share that is not mounted is noticed.", place))
	}
	return Folder{Dir: place, Immutable: immutable}, nil
}

// fileName sorts by time.
func fileName(h Header) string {
	return "mandate-" + h.Taken.UTC().Format("20060102T150405Z") + "-" + h.ID[:min(8, len(h.ID))] + suffix
}

// Put writes a backup under a name of its own: either all of it is there
// afterwards, durable and read-only, or nothing. Errors: errs.Conflict when the
// name is taken; errs.Unavailable; those of write.
func (f Folder) Put(h Header, write func(io.Writer) error) (Kept, error) {
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

// List gives the backups of the folder, newest first; files that are none are
// left out. Errors: errs.Unavailable.
func (f Folder) List() ([]Kept, error) {
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
	slices.SortStableFunc(all, func(a, b Kept) int { return b.Taken.Compare(a.Taken) })
	return all, nil
}

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

// Retention says which backups may go.
type Retention struct {
	// Keep is how many of the newest stay; 0 lets all stay.
	Keep int
	// For is for how long a backup stays whatever Keep says.
	For time.Duration
}

// Prune deletes what the rule lets go and gives it. A backup whose signature
// is right always stays: when none of those to be kept is good, the newest
// good one among the others stays too. Errors: errs.Unavailable.
func (f Folder) Prune(ctx context.Context, rule Retention, now time.Time, key ed25519.PublicKey) ([]Kept, error) {
	f.sweep(now)
	all, err := f.List()
	if err != nil || rule.Keep <= 0 {
		return nil, err
	}
	var gone []Kept
	good := false
	for i, k := range all {
		if ctx.Err() != nil {
			return gone, nil
		}
		if i < rule.Keep || now.Sub(k.Taken) < rule.For || !good {
			good = good || isGood(k.Path, key)
			continue
		}
		if err := f.remove(k.Path); err != nil {
			return gone, errs.Wrap(err, errs.Unavailable, "backup-not-deleted", fmt.Sprintf("The old backup %s cannot be deleted.", k.Path))
		}
		gone = append(gone, k)
	}
	return gone, nil
}

func isGood(path string, key ed25519.PublicKey) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	_, err = CheckSignature(file, key)
	return err == nil
}

func (f Folder) remove(path string) error {
	if f.Immutable {
		if err := setImmutable(path, false); err != nil {
			return err
		}
	}
	return os.Remove(path)
}

// sweep removes what interrupted writers left.
func (f Folder) sweep(now time.Time) {
	left, err := filepath.Glob(filepath.Join(f.Dir, "*"+suffix+partial))
	if err != nil {
		return
	}
	for _, path := range left {
		if info, err := os.Stat(path); err == nil && now.Sub(info.ModTime()) > stalePartial {
			_ = os.Remove(path) // the next sweep tries again
		}
	}
}
