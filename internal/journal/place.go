package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
)

// suffix ends the name of every segment in a folder.
const suffix = ".mandate-revocations"

// Place is where a journal lies; Name tells people where that is.
type Place struct {
	Name     string
	Segments Segments
}

// Segments keeps segments by their names.
type Segments interface {
	// Names gives all, oldest first.
	Names(ctx context.Context) ([]string, error)
	// Begin makes a segment to append to.
	Begin(ctx context.Context, name string) (Segment, error)
	// Last gives the last line of a segment that has an end of line, "" for
	// none.
	Last(ctx context.Context, name string) (string, error)
	// Read opens a segment from its beginning.
	Read(ctx context.Context, name string) (io.ReadCloser, error)
	// Remove deletes a segment.
	Remove(ctx context.Context, name string) error
}

// Segment is one that is being written.
type Segment interface {
	// Append adds whole lines and returns when they are durable.
	Append(ctx context.Context, lines []byte) error
	Close() error
}

// Folder is a place in a folder, which must be there: it is never made, so that
// a share that is not mounted is noticed.
func Folder(dir string) Place { return Place{Name: dir, Segments: folder(dir)} }

type folder string

func (f folder) path(name string) string { return filepath.Join(string(f), name+suffix) }

// there asks for the folder.
func (f folder) there() error {
	info, err := os.Stat(string(f))
	if err != nil || !info.IsDir() {
		return errs.Wrap(err, errs.Unavailable, "revocation-journal-unwritable", fmt.Sprintf(
			"The folder %s of the revocation journal is not there. Make or mount it first: Mandate does not, so that a share that is not mounted is noticed.", string(f)))
	}
	return nil
}

// Names implements Segments.
func (f folder) Names(context.Context) ([]string, error) {
	if err := f.there(); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(string(f), "*"+suffix))
	if err != nil {
		return nil, err
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), suffix)
	}
	slices.Sort(files)
	return files, nil
}

// Begin implements Segments.
func (f folder) Begin(_ context.Context, name string) (Segment, error) {
	file, err := os.OpenFile(f.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &segmentFile{File: file}, nil
}

// segmentFile is a segment in a folder.
type segmentFile struct {
	*os.File
	begun bool
}

// Append implements Segment.
func (s *segmentFile) Append(_ context.Context, lines []byte) error {
	_, err := s.Write(lines)
	if err == nil {
		err = s.Sync()
	}
	if err == nil && !s.begun {
		err = s.enter()
	}
	if err != nil && !s.begun {
		// Nobody was told of a line of it: a full disk leaves no heap of them.
		_ = os.Remove(s.Name())
	}
	s.begun = true
	return err
}

// enter makes the name of the file durable.
func (s *segmentFile) enter() error {
	dir, err := os.Open(filepath.Dir(s.Name()))
	if err != nil {
		return err
	}
	defer dir.Close()
	// Some network file systems refuse to sync a folder and need it not.
	_ = dir.Sync()
	return nil
}

// Last implements Segments.
func (f folder) Last(_ context.Context, name string) (string, error) {
	file, err := os.Open(f.path(name))
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	for size := int64(8 << 10); ; size *= 16 {
		from := max(0, info.Size()-size)
		tail := make([]byte, info.Size()-from)
		if _, err := file.ReadAt(tail, from); err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		text, whole := lastLine(tail)
		if whole || from == 0 {
			return text, nil
		}
	}
}

// lastLine gives the last line that has an end; whole says that its beginning
// was seen.
func lastLine(tail []byte) (text string, whole bool) {
	text = strings.TrimSuffix(string(tail[:bytes.LastIndexByte(tail, '\n')+1]), "\n")
	at := strings.LastIndexByte(text, '\n')
	return text[at+1:], at >= 0
}

// Read implements Segments.
func (f folder) Read(_ context.Context, name string) (io.ReadCloser, error) {
	return os.Open(f.path(name))
}

// Remove implements Segments.
func (f folder) Remove(_ context.Context, name string) error { return os.Remove(f.path(name)) }
