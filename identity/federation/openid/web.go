package openid

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxAnswer bounds what is read of a provider's answer, in bytes.
const maxAnswer = 256 << 10

// Web asks providers.
type Web struct {
	// HTTP must guard against addresses inside the network, follow no redirect and
	// end in time.
	HTTP *http.Client
}

// Get reads a JSON document. The error is for the log only.
func (w Web) Get(ctx context.Context, location string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return err
	}
	return w.do(req, into)
}

// Post sends a body of a media type and reads the JSON of the answer; name and
// secret go along as HTTP Basic unless the name is empty. The error is for the log
// only.
func (w Web) Post(ctx context.Context, location, media string, body []byte, into any, name, secret string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, location, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", media)
	if name != "" {
		req.SetBasicAuth(name, secret)
	}
	return w.do(req, into)
}

// errLong is an answer that nobody reads to its end.
var errLong = errors.New("the answer is too long")

func (w Web) do(req *http.Request, into any) error {
	req.Header.Set("Accept", "application/json")
	res, err := w.HTTP.Do(req) //nolint:gosec // addresses come from the configuration and its checked metadata
	if err != nil {
		return err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return err
	case len(raw) > maxAnswer:
		return errLong
	case res.StatusCode != http.StatusOK && res.StatusCode != http.StatusCreated:
		return fmt.Errorf("the answer has status %d%s", res.StatusCode, oauthError(raw))
	}
	return json.Unmarshal(raw, into)
}

// oauthError gives the error code of an answer (RFC 6749 §5.2), which is a word of
// the protocol and tells of nobody.
func oauthError(raw []byte) string {
	var e struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(raw, &e) != nil || e.Error == "" || len(e.Error) > 60 {
		return ""
	}
	return fmt.Sprintf(" and error %q", e.Error)
}
