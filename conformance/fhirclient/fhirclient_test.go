package fhirclient_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/freeport"
	"github.com/mandate-health/mandate/internal/testrun"
)

const limit = 90 * time.Second

// app is the Node app with the server it talks to.
type app struct {
	origin string
	target *kit.Target
}

// result is what the app tells after a launch.
type result struct {
	Error        string   `json:"error"`
	Patient      string   `json:"patient"`
	Family       string   `json:"family"`
	Observations []string `json:"observations"`
	FHIRUser     string   `json:"fhirUser"`
	Scope        string   `json:"scope"`
	Refreshed    bool     `json:"refreshed"`
	Again        string   `json:"again"`
}

func (r result) check(t *testing.T, patient, user string) {
	t.Helper()
	if r.Error != "" || r.Patient != patient || r.Again != patient || r.Family == "" {
		t.Fatalf("the app read %+v", r)
	}
	if !r.Refreshed {
		t.Error("the app got no new access token by refresh")
	}
	if !strings.HasSuffix(r.FHIRUser, user) {
		t.Errorf("fhirUser is %q", r.FHIRUser)
	}
	if len(r.Observations) == 0 {
		t.Error("the app read no Observations")
	}
	for _, subject := range r.Observations {
		if subject != "Patient/"+patient {
			t.Errorf("the app read an Observation of %s", subject)
		}
	}
}

func TestPublicClient(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*limit)
	defer cancel()
	install(ctx, t)
	a := open(ctx, t)
	t.Run("standalone launch in Node", func(t *testing.T) {
		a.launch(ctx, t, "/launch", kit.Visit{Person: "rosa"}).check(t, "rosa", "Patient/rosa")
	})
	t.Run("EHR launch in Node", func(t *testing.T) {
		res, err := a.target.RegisterLaunch(ctx, map[string]any{"client_id": clientID, "patient": "rosa", "user": "Practitioner/dr-hale"})
		if err != nil || res.Text("launch") == "" {
			t.Fatal(res, err)
		}
		q := url.Values{"iss": {a.target.FHIRBase}, "launch": {res.Text("launch")}}
		a.launch(ctx, t, "/launch?"+q.Encode(), kit.Visit{Person: "hale"}).check(t, "rosa", "Practitioner/dr-hale")
	})
	t.Run("standalone launch in a browser", func(t *testing.T) {
		a.browse(ctx, t).check(t, "rosa", "Patient/rosa")
	})
}

const clientID = "fhirclient-app"

// install runs npm ci where the pinned packages are not there yet.
func install(ctx context.Context, t *testing.T) {
	t.Helper()
	if _, err := os.Stat("node_modules/fhirclient/package.json"); err == nil {
		return
	}
	if out, err := exec.CommandContext(ctx, "npm", "ci").CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
}

// open starts a server that knows the app, and the app.
func open(ctx context.Context, t *testing.T) app {
	t.Helper()
	dir := t.TempDir()
	port := freePort(t)
	a := app{origin: "http://127.0.0.1:" + port}
	clients := []map[string]any{{
		"client_id": clientID, "kind": "public", "client_name": "Public Client", "publisher": "SMART Health IT",
		"redirect_uris": []string{a.origin + "/app", a.origin + "/page"}, "launch_uris": []string{a.origin + "/launch"},
	}}
	raw, err := json.Marshal(clients)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "clients.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	binary, err := testrun.Build(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	server := &testrun.Node{Binary: binary, Dir: dir, Args: []string{"--client", file}}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	r, err := kit.ReadReady(server.Ready())
	if err == nil {
		a.target, err = kit.NewTarget(ctx, r)
	}
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan struct{})
	out, in := io.Pipe()
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if lines.Text() == "ready" {
				close(said)
			}
		}
	}()
	run(t, in, "node", "client.mjs", port, clientID, a.target.FHIRBase)
	select {
	case <-said:
	case <-time.After(limit):
		t.Fatal("the app is not ready")
	}
	return a
}

func freePort(t *testing.T) string {
	t.Helper()
	address, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// run starts a process and ends it with the test.
func run(t *testing.T, out io.Writer, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if out == io.Discard {
		cmd.Stderr = nil
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		select {
		case err := <-exited:
			t.Log(name, "ended:", err)
		case <-time.After(30 * time.Second):
			t.Error(name, "does not end")
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	})
}

// launch follows the app to the authorization endpoint, walks the pages as a
// person does, and brings the code back to the app.
func (a app) launch(ctx context.Context, t *testing.T, path string, v kit.Visit) result {
	t.Helper()
	res, err := a.target.Do(ctx, kit.Request{URL: a.origin + path})
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(res.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(to.String(), a.target.Config.Authorize) {
		t.Fatalf("the app leads to %q: %s %s", res.Header.Get("Location"), res, res.Body)
	}
	answer, err := a.target.Authorize(ctx, to.Query(), v)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Code() == "" {
		t.Fatal(answer)
	}
	back, err := a.target.Do(ctx, kit.Request{URL: answer.Last.Back.String()})
	// The client strips the parameters from its address by one redirect.
	if err == nil && back.Status == http.StatusFound {
		back, err = a.target.Do(ctx, kit.Request{URL: back.Header.Get("Location")})
	}
	if err != nil {
		t.Fatal(err)
	}
	var out result
	if err := json.Unmarshal(back.Body, &out); err != nil {
		t.Fatalf("the app says %d %s", back.Status, back.Body)
	}
	return out
}

// browse does a standalone launch in Chromium, where CORS is real.
func (a app) browse(ctx context.Context, t *testing.T) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// The browser may still write while it ends, which would fail t.TempDir.
	profile, err := os.MkdirTemp("", "mandate-fhirclient-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true))
	alloc, stop := chromedp.NewExecAllocator(ctx, opts...)
	defer stop()
	tab, shut := chromedp.NewContext(alloc)
	defer shut()
	rosa := a.target.Person("rosa")
	var text string
	err = chromedp.Run(tab,
		chromedp.Navigate(a.origin+"/page"),
		chromedp.WaitVisible(`input[name=username]`, chromedp.ByQuery),
		chromedp.SendKeys(`input[name=username]`, rosa.Username, chromedp.ByQuery),
		chromedp.SendKeys(`input[name=password]`, rosa.Password, chromedp.ByQuery),
		chromedp.Click(`main form button[type=submit]:not([name])`, chromedp.ByQuery),
		chromedp.WaitVisible(`button[name=answer][value=allow]`, chromedp.ByQuery),
		chromedp.Click(`button[name=answer][value=allow]`, chromedp.ByQuery),
		chromedp.WaitVisible(`#out.done`, chromedp.ByQuery),
		chromedp.Text(`#out`, &text, chromedp.ByQuery),
	)
	if err != nil {
		var seen string
		err = errors.Join(err, chromedp.Run(tab, chromedp.Text("body", &seen, chromedp.ByQuery)), fmt.Errorf("the page shows %q", seen))
		t.Fatal(err)
	}
	var out result
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("the app says %q", text)
	}
	return out
}
