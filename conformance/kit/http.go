package kit

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 32 << 20

// Request is one HTTP request. Method left out means GET, or POST with a form.
type Request struct {
	Method string
	URL    string
	Header http.Header
	// Form is sent as application/x-www-form-urlencoded.
	Form url.Values
	// Body is sent with the media type Type.
	Body io.Reader
	Type string
	// Basic are a username and a password.
	Basic *[2]string
	// Bearer is an access token.
	Bearer string
}

// Response is a whole answer.
type Response struct {
	Method string
	URL    string
	Status int
	Header http.Header
	Body   []byte
}

func (r Request) build(ctx context.Context) (*http.Request, error) {
	method, body, media := r.Method, r.Body, r.Type
	if r.Form != nil {
		body, media = strings.NewReader(r.Form.Encode()), "application/x-www-form-urlencoded"
		if method == "" {
			method = http.MethodPost
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, r.URL, body)
	if err != nil {
		return nil, err
	}
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	if r.Basic != nil {
		req.SetBasicAuth(url.QueryEscape(r.Basic[0]), url.QueryEscape(r.Basic[1]))
	}
	if r.Bearer != "" {
		req.Header.Set("Authorization", "Bearer "+r.Bearer)
	}
	return req, nil
}

// Do sends a request and reads the answer whole. Redirects are not followed.
func (t *Target) Do(ctx context.Context, r Request) (*Response, error) {
	req, err := r.build(ctx)
	if err != nil {
		return nil, err
	}
	return exchange(t.HTTP, req)
}

func exchange(c *http.Client, req *http.Request) (*Response, error) {
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	return &Response{Method: req.Method, URL: req.URL.String(), Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

// JSON gives the body as an object, empty when it is none.
func (r *Response) JSON() map[string]any {
	out := map[string]any{}
	if json.Unmarshal(r.Body, &out) != nil {
		return map[string]any{}
	}
	return out
}

// Text gives a member of the JSON body that is a string, "" otherwise.
func (r *Response) Text(member string) string {
	s, _ := r.JSON()[member].(string)
	return s
}

// Media gives the media type without parameters.
func (r *Response) Media() string {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.TrimSpace(media)
}

// String tells method, path, status and error, never a token: only the
// members error, error_description and resourceType of the body are shown.
func (r *Response) String() string {
	where := r.URL
	if u, err := url.Parse(r.URL); err == nil {
		where = u.EscapedPath()
		if u.RawQuery != "" && !strings.Contains(u.RawQuery, "code") {
			where += "?" + u.RawQuery
		}
	}
	text := fmt.Sprintf("%s %s → %d", r.Method, where, r.Status)
	for _, name := range []string{"error", "error_description", "resourceType"} {
		if s := r.Text(name); s != "" {
			text += " " + s
		}
	}
	if r.Text("resourceType") == "OperationOutcome" {
		text += " " + diagnostics(r.JSON())
	}
	return text
}

// diagnostics gives the sentences of an OperationOutcome.
func diagnostics(outcome map[string]any) string {
	var out []string
	issues, _ := outcome["issue"].([]any)
	for _, raw := range issues {
		issue, _ := raw.(map[string]any)
		for _, path := range [][]string{{"code"}, {"diagnostics"}, {"details", "text"}} {
			var v any = issue
			for _, step := range path {
				m, _ := v.(map[string]any)
				v = m[step]
			}
			if s, ok := v.(string); ok {
				out = append(out, s)
			}
		}
	}
	return strings.Join(out, "; ")
}
