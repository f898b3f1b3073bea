package strictjson

import (
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/mandate-health/mandate/internal/errs"
)

// Media asks for a body of the type application/json. Errors:
// errs.UnsupportedMedia with code content-type.
func Media(r *http.Request) error {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return errs.New(errs.UnsupportedMedia, "content-type", "The body must be application/json.")
	}
	return nil
}

// Body reads the body of a request, of at most most bytes, and checks it. Errors:
// errs.TooLarge with code body-too-large; errs.InvalidRequest with code
// body-unreadable; those of Check.
func Body(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, errs.New(errs.TooLarge, "body-too-large", "The body is too large.")
	case err != nil:
		return nil, errs.Wrap(err, errs.InvalidRequest, "body-unreadable", "The body could not be read.")
	}
	return text, Check(text)
}

// As gives an error of Check or Read as one of another kind, for an endpoint whose
// protocol has a name of its own for it; every other error stays.
func As(err error, kind errs.Kind) error {
	if !errs.Is(err, errs.Invalid) {
		return err
	}
	e := errs.As(err)
	return errs.Wrap(err, kind, e.Code, e.Msg)
}
