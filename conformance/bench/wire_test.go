package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/clock"
)

func formValue(t *testing.T, form, name string) string {
	t.Helper()
	v, err := url.ParseQuery(form)
	if err != nil {
		t.Fatal(err)
	}
	return v.Get(name)
}

func TestMembersAreFoundInAnswers(t *testing.T) {
	for _, c := range []struct{ body, name, want string }{
		{`{"access_token":"a.b","x":"y"}`, "access_token", "a.b"},
		{`{"x" : "y"}`, "x", "y"},
		{`{"n":1}`, "n", ""},
		{`{"n":`, "n", ""},
		{`{"n":"open`, "n", ""},
		{`{}`, "n", ""},
	} {
		if got := member([]byte(c.body), c.name); got != c.want {
			t.Errorf("%s of %s: %q, want %q", c.name, c.body, got, c.want)
		}
	}
	page := []byte(`<input type="hidden" name="csrf" value="abc"><input name="x">`)
	if got := hidden(page, "csrf"); got != "abc" {
		t.Errorf("csrf is %q", got)
	}
	if got := hidden(page, "handle"); got != "" {
		t.Errorf("handle is %q", got)
	}
}

// One connection serves many requests, and comes back after the server has
// closed it.
func TestAConnectionIsKept(t *testing.T) {
	seen := map[string]bool{}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen[r.RemoteAddr] = true
		raw, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/last" {
			w.Header().Set("Connection", "close")
		}
		if r.URL.Path == "/chunks" {
			w.(http.Flusher).Flush()
		}
		_, _ = io.WriteString(w, r.Method+" "+r.Host+" "+r.Header.Get("X-A")+" "+string(raw))
	})
	server := httptest.NewServer(h)
	defer server.Close()
	c := &conn{addr: server.Listener.Addr().String(), clock: clock.System{}}
	defer c.close()
	send := func(r request, want string) {
		t.Helper()
		r.host = "name.example"
		got, err := c.send(r.bytes())
		if err != nil || got.status != 200 || strings.TrimSpace(string(got.body)) != want {
			t.Errorf("%s: %d %q %v, want %q", r.path, got.status, got.body, err, want)
		}
	}
	send(request{method: "GET", path: "/", header: []string{"X-A: 1"}}, "GET name.example 1")
	send(request{method: "POST", path: "/chunks", form: "a=b"}, "POST name.example  a=b")
	send(request{method: "POST", path: "/last", form: "c=d"}, "POST name.example  c=d")
	if len(seen) != 1 {
		t.Errorf("%d connections for three requests", len(seen))
	}
	send(request{method: "GET", path: "/again"}, "GET name.example")
	if len(seen) != 2 {
		t.Errorf("%d connections after one was closed", len(seen))
	}
	server.CloseClientConnections()
	if _, err := c.send(request{method: "GET", path: "/", host: "x"}.bytes()); err == nil {
		t.Error("a broken connection gave an answer")
	}
}

func TestABrowserKeepsCookiesAndFollowsRedirects(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /a", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "k", Value: "v"})
		http.Redirect(w, r, "/b?x=1", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /b", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Cookie")+" "+r.URL.RawQuery)
	})
	mux.HandleFunc("GET /round", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/round", http.StatusSeeOther)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	addr, host, err := hostOf(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	a := newAgent(&side{addr: addr, host: host}, clock.System{})
	defer a.conn.close()
	got, path, err := a.open("/a")
	if err != nil || path != "/b?x=1" || string(got.body) != "k=v x=1" {
		t.Errorf("%s %q %v", path, got.body, err)
	}
	if _, _, err := a.open("/round"); err == nil {
		t.Error("an endless redirect ended")
	}
}

func TestNamesOfThisMachineAreDialledByNumber(t *testing.T) {
	for _, c := range []struct{ url, addr, host string }{
		{"http://localhost:8080/x", "127.0.0.1:8080", "localhost:8080"},
		{"http://10.0.0.1:80", "10.0.0.1:80", "10.0.0.1:80"},
	} {
		addr, host, err := hostOf(c.url)
		if err != nil || addr != c.addr || host != c.host {
			t.Errorf("%s: %s %s %v", c.url, addr, host, err)
		}
	}
	for _, bad := range []string{"", "no-host", "http://[x"} {
		if _, _, err := hostOf(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
