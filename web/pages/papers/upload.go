package papers

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"

	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/session"
)

const (
	// maxBody bounds a form with files: their bytes, and the frame around them.
	maxBody = evidence.MaxFileBytes + 64<<10
	// maxValue and maxFields bound what else such a form holds.
	maxValue  = 4 << 10
	maxFields = 20
)

// form is a form with files.
type form struct {
	values map[string]string
	files  []evidence.File
	// fault is what is wrong with the files.
	fault error
}

// read takes a form apart, its token first: without it nothing else is read. Errors:
// errs.Forbidden with code form-token; errs.Invalid with code form-unreadable.
func read(m *session.Manager, r *http.Request) (form, error) {
	out := form{values: map[string]string{}}
	parts, token := opened(r)
	if refused := m.CheckToken(r, session.PurposePage, token); refused != nil {
		return out, refused
	}
	var files [][]byte
	for range maxFields + evidence.MaxFiles {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		var raw []byte
		most := int64(maxValue)
		if err == nil {
			if part.FileName() != "" {
				most = evidence.MaxFileBytes + 1
			}
			raw, err = io.ReadAll(io.LimitReader(part, most))
		}
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			out.fault = evidence.TooLarge()
			return out, nil
		case err != nil:
			return out, errs.Wrap(err, errs.Invalid, "form-unreadable", "The form could not be read.")
		case part.FormName() != "file":
			out.values[part.FormName()] = string(raw)
		case part.FileName() != "": // a browser sends an empty part where none was chosen
			files = append(files, raw)
		}
	}
	out.files, out.fault = evidence.Files(files)
	return out, nil
}

// opened gives the parts of a form behind the first one, which holds the token; "" for
// a body that is no such form.
func opened(r *http.Request) (parts *multipart.Reader, token string) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, ""
	}
	part, err := parts.NextPart()
	if err != nil || part.FormName() != session.FormField {
		return parts, ""
	}
	raw, err := io.ReadAll(io.LimitReader(part, maxValue))
	if err != nil {
		return parts, ""
	}
	return parts, string(raw)
}

// hand gives a file as a download that no browser opens in this origin.
func hand(w http.ResponseWriter, f evidence.File, number int) {
	h := w.Header()
	h.Set("Content-Type", f.Media)
	h.Set("Content-Length", strconv.Itoa(len(f.Bytes)))
	h.Set("Content-Disposition", `attachment; filename="paper-`+strconv.Itoa(number)+`.`+evidence.Ending(f.Media)+`"`)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(f.Bytes)
}
