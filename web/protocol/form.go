package protocol

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/mandate-health/mandate/internal/errs"
)

// The limits of a form body. Of its length, room for a usual one is believed.
const (
	maxBody       = 64 << 10
	usualBody     = 4 << 10
	maxParameters = 40
	maxValue      = 32 << 10
)

// readForm reads the body of a protocol endpoint: POST, form-urlencoded, no
// parameter in the URL, none twice (RFC 6749 §3.2, SMART TOK-01). Parameters
// without a value count as left out. Errors: errs.NotSupported,
// errs.TooLarge, errs.InvalidRequest.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost+", "+http.MethodOptions)
		return nil, errs.New(errs.NotSupported, "method", "This endpoint takes POST only.")
	}
	if r.URL.RawQuery != "" {
		return nil, errs.New(errs.InvalidRequest, "query-parameters", "Parameters belong into the body, not into the URL.")
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, errs.New(errs.InvalidRequest, "content-type", "The body must be application/x-www-form-urlencoded.")
	}
	var body bytes.Buffer
	body.Grow(int(min(max(r.ContentLength, 0), usualBody)) + bytes.MinRead)
	_, err = body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, errs.New(errs.TooLarge, "body-too-large", "The body is too large.")
	}
	if err != nil {
		return nil, errs.Wrap(err, errs.InvalidRequest, "body-unreadable", "The body could not be read.")
	}
	return parseForm(body.String())
}

// parseForm reads form-urlencoded text strictly.
func parseForm(body string) (url.Values, error) {
	if strings.Count(body, "&") >= maxParameters {
		return nil, errs.New(errs.InvalidRequest, "parameters-too-many", "The request has too many parameters.")
	}
	values, err := url.ParseQuery(body)
	if err != nil {
		return nil, errs.New(errs.InvalidRequest, "form-malformed", "The body is not well-formed.")
	}
	for name, all := range values {
		switch {
		case len(all) > 1:
			return nil, errs.New(errs.InvalidRequest, "parameter-repeated", "A parameter is repeated.")
		case !plain(name) || !plain(all[0]):
			return nil, errs.New(errs.InvalidRequest, "parameter-characters", "A parameter has characters that are not allowed.")
		case len(all[0]) > maxValue:
			return nil, errs.New(errs.InvalidRequest, "parameter-too-long", "A parameter is too long.")
		case all[0] == "":
			delete(values, name)
		}
	}
	return values, nil
}

// plain reports whether s is UTF-8 without control characters.
func plain(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) < 0
}
