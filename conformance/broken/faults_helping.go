package broken

import (
	"io"
	"net/http"
	"net/url"
	"strings"
)

// page changes the text of an answer that is a page.
func page(change func(path, text string) string) func(*http.Response) {
	return func(r *http.Response) {
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
			return
		}
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		replace(r, []byte(change(r.Request.URL.Path, string(raw))))
	}
}

// helpingFaults break the pages of people who help, and what staff see of them.
func helpingFaults() []Fault {
	const caller = "X-Caller"
	return []Fault{
		{Name: "a page does not say for whom somebody acts", response: page(func(path, text string) string {
			if !strings.HasSuffix(path, "/devices") {
				return text
			}
			return strings.ReplaceAll(text, "You are acting for", "")
		}), Rows: []string{"MANDATE CO-15"}},
		{Name: "a copy is there for good", response: func(r *http.Response) {
			if strings.Contains(r.Request.URL.Path, "/copies/") && r.StatusCode == http.StatusGone {
				r.StatusCode, r.Status = http.StatusOK, "200 OK"
			}
		}, Rows: []string{"MANDATE SP-17"}},
		{Name: "staff learn that a caller is blocked", request: func(r *http.Request) {
			r.Header.Del(caller)
			form("/staff/calls", func(f url.Values) { r.Header.Set(caller, f.Get("username")) })(r)
		}, response: func(r *http.Response) {
			if r.Request.Header.Get(caller) == "victor" {
				r.StatusCode, r.Status = http.StatusOK, "200 OK"
				r.Header.Del("Location")
				replace(r, []byte("<p>This person is shut out.</p>"))
			}
		}, Rows: []string{"MANDATE TF-14"}},
	}
}
