package journey

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// Deadlines are generous, because the machine may be busy; nothing waits
// longer than it must.
const (
	startDeadline = 30 * time.Second
	stopDeadline  = 30 * time.Second
	waitDeadline  = 20 * time.Second
	pollEvery     = 25 * time.Millisecond
)

// world is one freshly started `mandate dev` with its own data folder.
type world struct {
	t     *testing.T
	ready ready
	log   *bytes.Buffer
}

// ready is what the stories need of the ready file.
type ready struct {
	Issuer       string `json:"issuer"`
	FHIRBase     string `json:"fhir_base"`
	Upstream     string `json:"upstream_fhir_base"`
	DemoApp      string `json:"demo_app"`
	EHRSimulator string `json:"ehr_simulator"`
	Console      string `json:"console"`
	Clock        string `json:"clock"`
	Outbox       string `json:"outbox"`
	AdminAPI     struct {
		URL   string `json:"url"`
		Token string `json:"token"`
	} `json:"admin_api"`
	People []person `json:"people"`
}

type person struct {
	Username   string `json:"username"`
	Password   string `json:"password"`
	TOTPSecret string `json:"totp_secret"`
}

// newWorld starts the server and ends it with the test, which also wants a
// clean exit.
func newWorld(t *testing.T, more ...string) *world {
	t.Helper()
	if shared.fault != nil {
		t.Fatal(shared.fault)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "ready.json")
	w := &world{t: t, log: &bytes.Buffer{}}
	args := []string{"dev", "--no-families", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--ready-file", file}
	c := exec.Command(shared.binary, append(args, more...)...)
	c.Stdout, c.Stderr = io.Discard, w.log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() { w.stop(c, ended) })
	poll(t, startDeadline, "the ready file", func() (bool, error) {
		select {
		case err := <-ended:
			ended <- err
			return false, fmt.Errorf("the server ended at its start: %w\n%s", err, w.log)
		default:
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return false, nil
		}
		return true, json.Unmarshal(raw, &w.ready)
	})
	return w
}

// stop ends the child by its own process and tells its log when the story
// failed.
func (w *world) stop(c *exec.Cmd, ended chan error) {
	if err := c.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		w.t.Error(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			w.t.Errorf("the server did not end cleanly: %v", err)
		}
	case <-time.After(stopDeadline):
		_ = c.Process.Kill()
		w.t.Errorf("the server did not end within %s: %v", stopDeadline, <-ended)
	}
	if w.t.Failed() {
		lines := strings.Split(w.log.String(), "\n")
		w.t.Logf("the server's last lines:\n%s", strings.Join(lines[max(0, len(lines)-20):], "\n"))
	}
}

// poll asks until the answer is yes or the deadline has passed.
func poll(t *testing.T, within time.Duration, what string, ask func() (bool, error)) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		ok, err := ask()
		if err != nil {
			t.Fatalf("waiting for %s: %v", what, err)
		}
		if ok {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s did not come within %s", what, within)
		case <-tick.C:
		}
	}
}

func (w *world) person(username string) person {
	w.t.Helper()
	for _, p := range w.ready.People {
		if p.Username == username {
			return p
		}
	}
	w.t.Fatalf("the ready file has no %s", username)
	return person{}
}

// code gives a person's next one-time code. A code works once, so the clock
// moves on by one step of the code first.
func (w *world) code(p person) string {
	w.t.Helper()
	var now struct {
		Now time.Time `json:"now"`
	}
	w.post(w.ready.Clock, "", `{"advance":"30s"}`, http.StatusOK, &now)
	code, err := totp.GenerateCode(p.TOTPSecret, now.Now)
	if err != nil {
		w.t.Fatal(err)
	}
	return code
}

// post sends JSON and decodes the answer.
func (w *world) post(url, token, body string, want int, into any) {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/fhir+json")
	if strings.HasPrefix(url, w.ready.Issuer) {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		w.t.Fatalf("POST %s: %d %s %v, want %d", url, resp.StatusCode, raw, err, want)
	}
	if into != nil {
		if err := json.Unmarshal(raw, into); err != nil {
			w.t.Fatalf("POST %s: %v in %s", url, err, raw)
		}
	}
}
