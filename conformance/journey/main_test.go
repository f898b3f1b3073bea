package journey

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// tools are what all stories share: the binary under test, one Chromium
// process, the place of the pictures. TestMain fills it before any test runs.
type tools struct {
	binary   string
	pictures string
	axe      string
	browser  context.Context
	// fault says what is missing; every story fails with it.
	fault error
}

var shared tools

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mandate-journey-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// Chromium's last writes may race with the removal, which is tried again.
	defer func() {
		for range 5 {
			if os.RemoveAll(dir) == nil {
				return
			}
		}
	}()
	stop := shared.prepare(dir)
	defer stop()
	return m.Run()
}

// prepare builds the binary, installs the accessibility checker when it is
// missing and starts Chromium.
func (s *tools) prepare(dir string) (stop func()) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err == nil {
		s.pictures = filepath.Join(root, "artefacts", "journey")
		err = os.MkdirAll(s.pictures, 0o755)
		s.forget()
	}
	s.binary = filepath.Join(dir, "mandate")
	if err == nil {
		err = command(root, "go", "build", "-o", s.binary, "./cmd/mandate")
	}
	if err == nil {
		s.axe, err = checker()
	}
	var program string
	if err == nil {
		program, err = chromium()
	}
	if err != nil {
		s.fault = err
		return func() {}
	}
	ctx, quit := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(program), chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		// Several windows work at once; none of them may be slowed down.
		chromedp.Flag("disable-background-timer-throttling", true),
		chromedp.Flag("disable-backgrounding-occluded-windows", true), chromedp.Flag("disable-renderer-backgrounding", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.WindowSize(wide.width, wide.height), chromedp.WSURLReadTimeout(60*time.Second),
	)
	var end context.CancelFunc
	s.browser, end = chromedp.NewContext(ctx)
	if err := chromedp.Run(s.browser); err != nil {
		s.fault = fmt.Errorf("Chromium (%s) does not start: %w", program, err)
	}
	return func() { end(); quit() }
}

// forget removes the pictures of earlier failures.
func (s *tools) forget() {
	// The pattern is well formed, so there is no error to see.
	old, _ := filepath.Glob(filepath.Join(s.pictures, "failed-*.png"))
	for _, f := range old {
		_ = os.Remove(f)
	}
}

// chromium finds the browser. Nothing is downloaded.
func chromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("the journey needs Chromium: install the package \"chromium\" (apt-get install chromium)")
}

// checker gives the source text of axe-core, from the version that the lock
// file pins, and sees that the OpenID provider is there.
func checker() (string, error) {
	path := filepath.Join("node_modules", "axe-core", "axe.min.js")
	_, axe := os.Stat(path)
	_, provider := os.Stat(filepath.Join("node_modules", "oidc-provider", "package.json"))
	if axe != nil || provider != nil {
		if _, err := exec.LookPath("npm"); err != nil {
			return "", errors.New("the journey needs npm to install axe-core and oidc-provider: install the package \"npm\" (apt-get install npm)")
		}
		if err := command(".", "npm", "ci", "--omit-lockfile-registry-resolved", "--no-audit", "--no-fund"); err != nil {
			return "", err
		}
	}
	b, err := os.ReadFile(path)
	return string(b), err
}

func command(dir, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", name, args, err, out)
	}
	return nil
}
