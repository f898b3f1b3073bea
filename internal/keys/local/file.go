package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
)

const format = "mandate-key-file-1"

// file is the key file: its keys in the open, or in a box that only the shares
// of Split open.
type file struct {
	Format string `json:"format"`
	Keys   []key  `json:"keys,omitempty"`
	Split  *split `json:"split,omitempty"`
	Box    []byte `json:"box,omitempty"`
}

// seal gives the file of the keys, boxed under unseal when there is one.
func seal(all []key, unseal []byte, s *split) (*file, error) {
	if unseal == nil {
		return &file{Format: format, Keys: all}, nil
	}
	plain, err := json.Marshal(all)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "key-file-encoding", "The key file could not be written.")
	}
	box, err := keys.Box(unseal, plain, []byte(format))
	return &file{Format: format, Split: s, Box: box}, err
}

// open gives the keys of the file.
func (f *file) open(unseal []byte) ([]key, error) {
	all := f.Keys
	if f.Split != nil {
		plain, err := keys.Unbox(unseal, f.Box, []byte(format))
		if err != nil {
			return nil, errs.Wrap(err, errs.Unauthenticated, "shares-wrong", "These shares do not open the key file.")
		}
		if err := json.Unmarshal(plain, &all); err != nil {
			return nil, errUnreadable(err, "its box holds no keys")
		}
	}
	if len(all) == 0 {
		return nil, errUnreadable(nil, "it holds no key")
	}
	for _, k := range all {
		if k.ID == "" || len(k.Key) != keySize {
			return nil, errUnreadable(nil, "a key in it is not 32 bytes long")
		}
	}
	return all, nil
}

func readFile(path string) (*file, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errMissing(path)
	}
	if err != nil {
		return nil, errUnreadable(err, path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, errs.New(errs.Forbidden, "key-file-open", fmt.Sprintf(
			"The key file %s has mode %04o, so others than its owner may read it. Set it to 0600.", path, mode))
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, errUnreadable(err, path)
	}
	var f file
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, errUnreadable(err, path)
	}
	if f.Format != format {
		return nil, errUnreadable(nil, path+" is not a key file of this version")
	}
	return &f, nil
}

// change replaces the file by what fn makes of the old one, nil when there is
// none. One process at a time does so; a reader never sees half a file, and a
// power cut leaves the old one or the new one. fn may give nil to leave it.
func change(path string, fn func(old *file) (*file, error)) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return errUnwritable(path, err)
	}
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return errUnwritable(path, err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return errUnwritable(path, err)
	}
	old, err := readFile(path)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	fresh, err := fn(old)
	if err != nil || fresh == nil {
		return err
	}
	raw, err := json.MarshalIndent(fresh, "", "  ")
	if err != nil {
		return errUnwritable(path, err)
	}
	if err := replace(path, append(raw, '\n')); err != nil {
		return errUnwritable(path, err)
	}
	return nil
}

// replace puts a new content in place durably.
func replace(path string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".keys-*") // mode 0600
	if err != nil {
		return err
	}
	// Once renamed there is nothing left under this name.
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func errMissing(path string) error {
	return errs.New(errs.NotFound, "key-file-missing", "There is no key file "+path+".")
}

func errUnreadable(cause error, what string) error {
	return errs.Wrap(cause, errs.Invalid, "key-file-unreadable", "The key file cannot be read: "+what+".")
}

func errUnwritable(path string, cause error) error {
	return errs.Wrap(cause, errs.Unavailable, "key-file-unwritable",
		"The key file "+path+" cannot be written: check the owner and permissions of its folder.")
}
