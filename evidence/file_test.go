package evidence_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"slices"
	"testing"

	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/internal/errs"
)

// RS-05: what a file is its bytes say; what is something else, half, too large or too
// many is refused with its own cause.
func TestFilesAreWhatTheirBytesSay(t *testing.T) {
	var gray, photo bytes.Buffer
	picture := image.NewGray(image.Rect(0, 0, 9, 9))
	if err := png.Encode(&gray, picture); err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(&photo, picture, nil); err != nil {
		t.Fatal(err)
	}
	order := []byte("%PDF-1.4\norder\n%%EOF\n")
	files, err := evidence.Files([][]byte{order, gray.Bytes(), photo.Bytes()})
	if err != nil || files[0].Media != "application/pdf" || files[1].Media != "image/png" || files[2].Media != "image/jpeg" {
		t.Fatal(files, err)
	}
	for code, all := range map[string][][]byte{
		"file-none":  nil,
		"file-many":  slices.Repeat([][]byte{order}, evidence.MaxFiles+1),
		"file-large": {append(slices.Clone(order), make([]byte, evidence.MaxFileBytes)...)},
		"file-kind":  {[]byte("<svg/>")},
	} {
		if _, err := evidence.Files(all); errs.As(err).Code != code {
			t.Errorf("%s: %v", code, err)
		}
	}
	for name, raw := range map[string][]byte{
		"empty": {}, "text before a PDF": append([]byte("<script>"), order...), "a PDF without an end": order[:12],
		"half a picture": gray.Bytes()[:30], "half a photo": photo.Bytes()[:20], "a picture of GIF": []byte("GIF89a"),
	} {
		if _, err := evidence.Files([][]byte{raw}); errs.As(err).Code != "file-kind" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The bytes come out of a Binary as they went in.
func TestAFileOfABinary(t *testing.T) {
	d := evidence.Document{ID: "d1", Patient: "rosa", By: evidence.Party{Account: "p-ann"}, Kind: "GUARD", Media: "image/png", Bytes: []byte{1, 2, 3}}
	r, err := d.Binary()
	if err != nil {
		t.Fatal(err)
	}
	if f, err := evidence.FileOf(r); err != nil || f.Media != d.Media || !bytes.Equal(f.Bytes, d.Bytes) || r.Person != "p-ann" {
		t.Error(f, err, r.Person)
	}
	for _, raw := range []string{`{`, `{"data":"?"}`} {
		if _, err := evidence.FileOf(evidence.Record{JSON: []byte(raw)}); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", raw, err)
		}
	}
	for media, ending := range map[string]string{"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg", "text/html": "bin"} {
		if evidence.Ending(media) != ending {
			t.Error(media)
		}
	}
}
