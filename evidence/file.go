package evidence

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image/jpeg"
	"image/png"

	"github.com/mandate-health/mandate/internal/errs"
)

// Bounds of what people put in as pictures of their papers.
const (
	// MaxFiles is how many come at once.
	MaxFiles = 5
	// MaxFileBytes bounds what comes at once, all files together, in bytes.
	MaxFileBytes = 10 << 20
	// maxSide bounds a picture, in pixels of one side.
	maxSide = 20_000
)

// File is a picture of a paper: what it is was read from its bytes, never from what
// the sender called it.
type File struct {
	// Media is application/pdf, image/jpeg or image/png.
	Media string
	Bytes []byte
}

// Ending is how the name of such a file ends.
func Ending(media string) string {
	switch media {
	case "application/pdf":
		return "pdf"
	case "image/jpeg":
		return "jpg"
	case "image/png":
		return "png"
	}
	return "bin"
}

// Files reads what a person put in. Errors: errs.Invalid with code file-none,
// file-many or file-kind; errs.TooLarge with code file-large.
func Files(all [][]byte) ([]File, error) {
	switch {
	case len(all) == 0:
		return nil, errs.New(errs.Invalid, "file-none", "Choose a file.")
	case len(all) > MaxFiles:
		return nil, errs.New(errs.Invalid, "file-many", "There are too many files at once.")
	}
	out, size := make([]File, 0, len(all)), 0
	for _, raw := range all {
		if size += len(raw); size > MaxFileBytes {
			return nil, TooLarge()
		}
		media, ok := mediaOf(raw)
		if !ok {
			return nil, errs.New(errs.Invalid, "file-kind", "The file is no PDF and no picture that can be read.")
		}
		out = append(out, File{Media: media, Bytes: raw})
	}
	return out, nil
}

// TooLarge refuses more than MaxFileBytes.
func TooLarge() error {
	return errs.New(errs.TooLarge, "file-large", "The files are too large.")
}

// mediaOf tells by its bytes what a file is. A PDF has its head at the very front,
// so that nothing else can stand before it.
func mediaOf(raw []byte) (media string, ok bool) {
	const tail = 1024
	switch {
	case bytes.HasPrefix(raw, []byte("%PDF-")):
		return "application/pdf", bytes.Contains(raw[max(0, len(raw)-tail):], []byte("%%EOF"))
	case bytes.HasPrefix(raw, []byte("\xff\xd8\xff")):
		c, err := jpeg.DecodeConfig(bytes.NewReader(raw))
		return "image/jpeg", err == nil && c.Width <= maxSide && c.Height <= maxSide
	case bytes.HasPrefix(raw, []byte("\x89PNG\r\n\x1a\n")):
		c, err := png.DecodeConfig(bytes.NewReader(raw))
		return "image/png", err == nil && c.Width <= maxSide && c.Height <= maxSide
	}
	return "", false
}

// FileOf reads the file in a Binary. Errors: errs.Invalid with code record-malformed
// for what is none.
func FileOf(r Record) (File, error) {
	var in struct {
		ContentType string `json:"contentType"`
		Data        string `json:"data"`
	}
	err := json.Unmarshal(r.JSON, &in)
	if err == nil {
		var raw []byte
		if raw, err = base64.StdEncoding.DecodeString(in.Data); err == nil {
			return File{Media: in.ContentType, Bytes: raw}, nil
		}
	}
	return File{}, errs.Wrap(err, errs.Invalid, "record-malformed", "The resource cannot be read.")
}
