package oidcclients_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// line is what a program says: that somebody must visit an address, or how a
// story ended.
type line struct {
	Visit string `json:"visit"`
	Story string `json:"story"`
	Error string `json:"error"`
}

func TestNPMClients(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	install(ctx, t)
	w := open(ctx, t)
	setup := w.setup(t)
	for program, stories := range map[string]int{"openid": 12, "webapi": 10} {
		t.Run(program, func(t *testing.T) {
			if told := w.play(ctx, t, setup, "node", program+".mjs"); told != stories {
				t.Errorf("%d stories were told, not %d", told, stories)
			}
		})
	}
}

// TestAuthlib: the Python client, as Debian packages it.
func TestAuthlib(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := open(ctx, t)
	if told := w.play(ctx, t, w.setup(t), "/usr/bin/python3", "authlib_stories.py"); told != 7 {
		t.Errorf("%d stories were told, not 7", told)
	}
}

// install runs npm ci where the pinned packages are not there yet.
func install(ctx context.Context, t *testing.T) {
	t.Helper()
	if _, err := os.Stat("node_modules/openid-client/package.json"); err == nil {
		return
	}
	if out, err := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts").CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
}

// setup writes what the programs must know, and gives the file's path.
func (w *world) setup(t *testing.T) string {
	t.Helper()
	keys := map[string]any{}
	for id, raw := range w.keys {
		var set struct {
			Keys []map[string]any `json:"keys"`
		}
		if err := json.Unmarshal(raw, &set); err != nil {
			t.Fatal(err)
		}
		delete(set.Keys[0], "use")
		keys[id] = set.Keys[0]
	}
	raw, err := json.Marshal(map[string]any{
		"issuer": w.target.Issuer, "fhir": w.target.FHIRBase, "redirect": redirect, "secret": w.secret, "keys": keys,
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "setup.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// play runs a program to its end, is its browser, and gives how many stories it
// told.
func (w *world) play(ctx context.Context, t *testing.T, setup string, program ...string) int {
	t.Helper()
	cmd := exec.CommandContext(ctx, program[0], append(program[1:], setup)...)
	cmd.Env, cmd.Stderr = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+w.target.CAFile, "REQUESTS_CA_BUNDLE="+w.target.CAFile), os.Stderr
	answers, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	told := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var said line
		if err := json.Unmarshal(lines.Bytes(), &said); err != nil {
			t.Errorf("the program says %q", lines.Text())
			break
		}
		if said.Visit != "" {
			w.answer(ctx, t, answers, said.Visit)
			continue
		}
		told++
		t.Run(said.Story, func(t *testing.T) {
			if said.Error != "" {
				t.Error(said.Error)
			}
		})
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	return told
}

// answer tells the program where the browser came back to. Without an answer
// the program would wait, so it is told of a failure too.
func (w *world) answer(ctx context.Context, t *testing.T, to io.Writer, address string) {
	t.Helper()
	back, err := w.visit(ctx, address)
	if err != nil {
		t.Error(err)
		back = redirect + "?error=visit_failed"
	}
	if _, err := fmt.Fprintln(to, back); err != nil {
		t.Error(err)
	}
}

// visit follows an authorization request as Rosa, and gives where her browser
// ended.
func (w *world) visit(ctx context.Context, address string) (string, error) {
	to, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, w.target.Config.Authorize+"?") {
		return "", fmt.Errorf("the client leads to %q: %w", address, err)
	}
	answer, err := w.target.Authorize(ctx, to.Query(), kit.Visit{Person: "rosa", App: redirect})
	if err != nil {
		return "", err
	}
	if answer.Last.Back == nil {
		return "", fmt.Errorf("no way back: %s", answer)
	}
	return answer.Last.Back.String(), nil
}
