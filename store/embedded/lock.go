package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/mandate-health/mandate/internal/errs"
)

// lockFolder makes the folder and takes it for this process until the file is
// closed or the process ends, however it ends.
func lockFolder(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, errUnwritable(dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "mandate.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, errUnwritable(dir, err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errs.Wrap(err, errs.Conflict, "data-folder-in-use", fmt.Sprintf(
			"The data folder %s is in use by another Mandate; stop that one or choose another folder.", dir))
	} else {
		err = errUnwritable(dir, err)
	}
	return nil, errors.Join(err, f.Close())
}

// empty removes the store from the data folder, and nothing that is not
// Mandate's own.
func empty(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "mandate.db*"))
	for _, f := range files {
		err = errors.Join(err, os.Remove(f))
	}
	if err != nil {
		return errs.Wrap(err, errs.Unavailable, "data-folder-unwritable", "The data folder "+dir+" cannot be emptied: check its owner and permissions.")
	}
	return nil
}
