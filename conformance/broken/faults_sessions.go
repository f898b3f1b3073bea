package broken

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// devices is the page that the checks open to see whether somebody is signed in.
const devices = "/devices"

// sessionFaults break what keeps a session with its browser, and what a log-in needs.
func sessionFaults() []Fault {
	planted, replaced := kept(func(old string) bool { return strings.Trim(old, "A") == "" }, true), kept(func(string) bool { return true }, false)
	seen := remembered{pages: map[string][]byte{}}
	return []Fault{
		{Name: "pages of people are kept", response: under("/apps", http.StatusOK, header("Cache-Control", "private, max-age=600")),
			Rows: []string{"MANDATE SE-20"}},
		{Name: "a shared device keeps everything", response: under("/signout", http.StatusSeeOther, header("Clear-Site-Data", "")),
			Rows: []string{"MANDATE SM-01"}},
		{Name: "a planted session is taken up", request: planted.request, response: planted.response, Rows: []string{"MANDATE SE-13b"}, Also: []string{"MANDATE SE-13"}},
		{Name: "the session before the second factor goes on", request: replaced.request, response: replaced.response,
			Rows: []string{"MANDATE SE-14"}, Also: []string{"MANDATE SE-13"}},
		{Name: "pages are answered from memory, whoever has the cookie and whether it still counts", response: seen.response,
			Rows: []string{"MANDATE SE-15", "MANDATE SE-16", "MANDATE SE-17d"}, Also: []string{"MANDATE SE-13", "MANDATE SE-17"}},
		{Name: "a password opens pages that need two factors", response: under(devices, http.StatusSeeOther, func(r *http.Response) {
			if sessionOf(r.Request) != nil && strings.Contains(r.Header.Get("Location"), "/signin") {
				asPage(r, []byte("<!doctype html><title>Devices</title><p>Welcome"))
			}
		}), Rows: []string{"MANDATE SM-02"}},
		{Name: "an unknown account is told as one", request: func(r *http.Request) {
			form("/signin", func(f url.Values) {
				if strings.HasPrefix(f.Get("username"), "nobody") {
					r.Header.Set(strange, "yes")
				}
			})(r)
		}, response: func(r *http.Response) {
			if r.Request.Header.Get(strange) != "" {
				r.StatusCode = http.StatusNotFound
			}
		}, Rows: []string{"MANDATE AS-03"}},
	}
}

// strange marks a log-in to an account that does not exist.
const strange = "X-Strange"

// asPage makes an answer a page that was found.
func asPage(r *http.Response, body []byte) {
	r.StatusCode = http.StatusOK
	r.Header.Set("Content-Type", "text/html; charset=utf-8")
	r.Header.Del("Location")
	replace(r, body)
}

// sessionOf gives the session cookie of a request, nil for none.
func sessionOf(r *http.Request) *http.Cookie {
	for _, c := range r.Cookies() {
		if strings.HasSuffix(c.Name, "mandate_session") {
			return c
		}
	}
	return nil
}

// keeper lets a session cookie go on that the server has replaced.
type keeper struct {
	request  func(*http.Request)
	response func(*http.Response)
}

// kept makes a keeper of the cookies that fit, which the answer to a form of the log-in
// replaces. stays leaves the old one in the browser, too.
func kept(fits func(string) bool, stays bool) keeper {
	const before = "X-Session-Before"
	var mu sync.Mutex
	next := map[string]string{}
	return keeper{
		request: func(r *http.Request) {
			c := sessionOf(r)
			if c == nil {
				return
			}
			r.Header.Set(before, c.Value)
			mu.Lock()
			defer mu.Unlock()
			now := c.Value
			for next[now] != "" {
				now = next[now]
			}
			r.Header.Set("Cookie", strings.ReplaceAll(r.Header.Get("Cookie"), c.Value, now))
		},
		response: func(r *http.Response) {
			old := r.Request.Header.Get(before)
			if r.Request.Method != http.MethodPost || !strings.HasPrefix(r.Request.URL.Path, "/signin") || old == "" || !fits(old) {
				return
			}
			for i, c := range r.Cookies() {
				if !strings.HasSuffix(c.Name, "mandate_session") || c.MaxAge < 0 || c.Value == "" || c.Value == old {
					continue
				}
				mu.Lock()
				next[old] = c.Value
				mu.Unlock()
				if stays {
					r.Header["Set-Cookie"][i] = strings.ReplaceAll(r.Header["Set-Cookie"][i], c.Value, old)
				}
			}
		},
	}
}

// remembered gives a page of a person again for the same session cookie.
type remembered struct {
	mu    sync.Mutex
	pages map[string][]byte
}

func (m *remembered) response(r *http.Response) {
	c := sessionOf(r.Request)
	if c == nil || r.Request.Method != http.MethodGet || r.Request.URL.Path != devices {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.StatusCode != http.StatusOK {
		if old := m.pages[c.Value]; old != nil {
			asPage(r, old)
		}
		return
	}
	if raw, err := io.ReadAll(r.Body); err == nil {
		m.pages[c.Value] = bytes.Clone(raw)
		replace(r, raw)
	}
}
