package password

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/mandate-health/mandate/internal/errs"
)

// A list of passwords known from breaches is a file: a line that says so, then
// the first eight bytes of the SHA-1 of each, ascending. So a look-up needs some
// thirty reads and no memory, and the file holds no password.
const (
	breachedMagic = "mandate breached passwords 1\n"
	prefixBytes   = 8
)

// ImportBreached writes the list from text with one SHA-1 in 40 hexadecimal
// digits at the start of each line, ascending, as lists of breached passwords
// come. It gives the number of passwords. Errors: errs.Invalid with code
// breached-list and the line; those of the writer.
func ImportBreached(from io.Reader, to io.Writer) (n int, err error) {
	out := bufio.NewWriterSize(to, 1<<20)
	if _, err := out.WriteString(breachedMagic); err != nil {
		return 0, err
	}
	var last [prefixBytes]byte
	lines := bufio.NewScanner(from)
	for line := 1; lines.Scan(); line++ {
		digits, _, _ := strings.Cut(strings.TrimSpace(lines.Text()), ":")
		if digits == "" {
			continue
		}
		sum, err := hex.DecodeString(digits)
		if err != nil || len(sum) != sha1.Size {
			return n, errs.New(errs.Invalid, "breached-list", fmt.Sprintf("Line %d does not begin with a SHA-1 in 40 hexadecimal digits.", line))
		}
		switch order := bytes.Compare(sum[:prefixBytes], last[:]); {
		case order < 0:
			return n, errs.New(errs.Invalid, "breached-list", fmt.Sprintf("Line %d is not in order: sort the file first (LC_ALL=C sort).", line))
		case order == 0 && n > 0:
			continue
		}
		copy(last[:], sum)
		if _, err := out.Write(last[:]); err != nil {
			return n, err
		}
		n++
	}
	if err := lines.Err(); err != nil {
		return n, errs.Wrap(err, errs.Invalid, "breached-list", "The list of breached passwords cannot be read.")
	}
	return n, out.Flush()
}

// Breached is a list that was imported. It is safe for concurrent use.
type Breached struct {
	file *os.File
	n    int
	made time.Time
}

// OpenBreached opens a list. It stays open as long as the process. Errors:
// errs.Invalid with code breached-list.
func OpenBreached(path string) (*Breached, error) {
	bad := func(err error) error {
		return errs.Wrap(err, errs.Invalid, "breached-list", "The list of breached passwords "+path+" cannot be read; make it with mandate passwords import-breached.")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, bad(err)
	}
	head := make([]byte, len(breachedMagic))
	info, err := f.Stat()
	if err == nil {
		_, err = io.ReadFull(f, head)
	}
	size := int64(0)
	if err == nil {
		size = info.Size() - int64(len(breachedMagic))
	}
	if err != nil || string(head) != breachedMagic || size%prefixBytes != 0 {
		_ = f.Close()
		return nil, bad(err)
	}
	return &Breached{file: f, n: int(size / prefixBytes), made: info.ModTime()}, nil
}

// Len gives how many passwords the list has.
func (b *Breached) Len() int { return b.n }

// Made gives when the list was imported.
func (b *Breached) Made() time.Time { return b.made }

// Has reports whether a password is on the list. Errors: errs.Unavailable.
func (b *Breached) Has(password string) (bool, error) {
	for _, form := range []string{password, norm.NFC.String(password)} {
		want := sha1.Sum([]byte(form))
		at, found := make([]byte, prefixBytes), false
		var fault error
		sort.Search(b.n, func(i int) bool {
			if _, err := b.file.ReadAt(at, int64(len(breachedMagic)+i*prefixBytes)); err != nil {
				fault = err
				return true
			}
			order := bytes.Compare(at, want[:prefixBytes])
			found = found || order == 0
			return order >= 0
		})
		if fault != nil {
			return false, errs.Wrap(fault, errs.Unavailable, "breached-unread", "The list of breached passwords cannot be read now.")
		}
		if found {
			return true, nil
		}
	}
	return false, nil
}
