package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/config"
)

// pool is what a package with settings of its own looks like.
type pool struct {
	Size    int           `name:"pool-size" default:"8" help:"Connections at once."`
	Timeout time.Duration `name:"pool-timeout" default:"10s" help:"Longest wait."`
	Share   float64       `name:"pool-share" default:"0.5" help:"Share."`
	Eager   bool          `name:"pool-eager" help:"Open all at once."`
	Mode    string        `name:"pool-mode" default:"plain" enum:"plain,pooler" help:"Kind of server."`
}

func (p *pool) Validate() error {
	var f config.Faults
	if p.Size < 1 {
		f.Add("size", "%d is not at least 1", p.Size)
	}
	if p.Timeout <= 0 {
		f.Add("timeout", "a wait must have an end")
	}
	return f.Err()
}

type settings struct {
	Listen   string   `default:"127.0.0.1:8080" help:"Address."`
	HelpLine string   `help:"Telephone."`
	Proxies  []string `name:"proxy" key:"proxies" help:"Networks."`
	Files    []string `name:"file" key:"files" type:"existingfile" help:"Files."`
	Database string   `secret:"url" help:"Database."`
	Token    string   `name:"api-token" secret:"whole" help:"Token."`
	Pool     pool     `embed:"" section:"pool"`
	Hidden   string
}

func write(t *testing.T, mode os.FileMode, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mandate.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// A flag wins over the environment, the environment over the file, the file
// over the default; and each value knows from where it came.
func TestPrecedence(t *testing.T) {
	file := write(t, 0o644, "listen = 'file:1'\nhelp_line = 'file'\nproxies = ['a', 'b']\n[pool]\nsize = 3\ntimeout = '20s'\nshare = 1\neager = true\n")
	s := settings{Listen: "flag:1"}
	l, err := config.Load(&s, config.Sources{
		File: file, Environ: []string{"MANDATE_HELP_LINE=env", "MANDATE_LISTEN=env:1", "MANDATE_POOL_SIZE=5", "MANDATE_POOL_EAGR=1", "HOME=/"},
		Given: map[string]bool{"listen": true},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := settings{Listen: "flag:1", HelpLine: "env", Proxies: []string{"a", "b"}, Pool: pool{Size: 5, Timeout: 20 * time.Second, Share: 1, Eager: true, Mode: "plain"}}
	if s.Listen != want.Listen || s.HelpLine != want.HelpLine || strings.Join(s.Proxies, " ") != "a b" || s.Pool != want.Pool {
		t.Errorf("%+v", s)
	}
	for key, origin := range map[string]string{
		"listen": "--listen", "help_line": "MANDATE_HELP_LINE", "proxies": "mandate.toml line 3", "pool.size": "MANDATE_POOL_SIZE",
		"pool.timeout": "mandate.toml line 6", "pool.mode": "default",
	} {
		if got := l.Origin(key); got != origin {
			t.Errorf("%s came from %s, not %s", key, got, origin)
		}
	}
	if len(l.Warnings) != 1 || !strings.Contains(l.Warnings[0], "MANDATE_POOL_EAGR") {
		t.Errorf("%v", l.Warnings)
	}
}

// Every fault is told at once, with its key and its line: unknown keys with the
// nearest known one, wrong types, values outside a list, secrets in the file.
func TestEveryFaultAtOnce(t *testing.T) {
	file := write(t, 0o644, `listen = 8080
lissten = "x"
proxies = "10.0.0.0/8"
files = ["/no/such/file"]
database = "postgres://u:hunter2@h/d"
api_token = "hunter3"
[pool]
size = "many"
timeout = 10
mode = "fast"
[[tenant]]
name = "a"
`)
	_, err := config.Load(new(settings), config.Sources{File: file, Environ: []string{"MANDATE_POOL_SHARE=half"}})
	if err == nil {
		t.Fatal("taken")
	}
	text := err.Error()
	for _, want := range []string{
		"listen (mandate.toml line 1): given as whole number; the setting takes text",
		"lissten (mandate.toml line 2): there is no such setting. Did you mean listen?",
		"proxies (mandate.toml line 3): given as text; the setting takes list",
		"files (mandate.toml line 4): there is no file /no/such/file",
		"database (mandate.toml line 5): a secret must not stand in the configuration file; put it into a file of its own and set database_file, or into MANDATE_DATABASE",
		"api_token (mandate.toml line 6): a secret must not stand",
		"pool.size (mandate.toml line 8): given as text; the setting takes whole number",
		"pool.timeout (mandate.toml line 9): given as whole number; the setting takes duration such as \"90s\"",
		`pool.mode (mandate.toml line 10): "fast" is not one of plain, pooler`,
		"tenant (mandate.toml line 11): there is no such setting",
		`pool.share (MANDATE_POOL_SHARE): "half" is not a number`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not told: %s\n%s", want, text)
		}
	}
	if strings.Contains(text, "hunter") {
		t.Errorf("a secret was quoted: %s", text)
	}
}

// What only the owner of a setting can judge is told at once too, and says
// where to look or where to set it.
func TestOwnersJudge(t *testing.T) {
	file := write(t, 0o644, "pool.size = 0\n")
	s := settings{Pool: pool{Timeout: -1}}
	_, err := config.Load(&s, config.Sources{File: file, Given: map[string]bool{"pool-timeout": true}})
	if err == nil || err.Error() != "pool.size (mandate.toml line 1): 0 is not at least 1\npool.timeout (--pool-timeout): a wait must have an end" {
		t.Error(err)
	}
}

// Values are judged beside others that cannot be read; what is not set because
// it could not be read is not told a second time.
func TestReadAndJudgedTogether(t *testing.T) {
	file := write(t, 0o644, "listen = 1\n[pool]\nsize = 0\ntimeot = '5s'\n")
	_, err := config.Load(&settings{}, config.Sources{File: file, Environ: []string{"MANDATE_POOL_TIMEOUT=soon"}})
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"listen (", "pool.size (mandate.toml line 3): 0 is not at least 1", "pool.timeot (", `"soon" is not a duration`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not told: %s\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "must have an end") {
		t.Errorf("a setting that could not be read is judged: %v", err)
	}
}

// A file that is not TOML, or that everybody may write to, is refused whole.
func TestRefusedFiles(t *testing.T) {
	for text, want := range map[string]string{
		"listen = \n":                  "mandate.toml line 1",
		"listen = 'a'\nlisten = 'b'\n": "line 2",
	} {
		if _, err := config.Load(new(settings), config.Sources{File: write(t, 0o600, text)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	open := write(t, 0o666, "")
	if _, err := config.Load(new(settings), config.Sources{File: open}); err == nil || !strings.Contains(err.Error(), "chmod o-w") {
		t.Error(err)
	}
	if _, err := config.Load(new(settings), config.Sources{File: "/no/such"}); err == nil {
		t.Error("no file, no fault")
	}
}

// A secret comes from a file of its own or the environment, and is printed
// nowhere; a file that everybody may read is refused.
func TestSecrets(t *testing.T) {
	token, url := write(t, 0o640, "hunter2\n"), write(t, 0o600, "postgres://u:hunter3@h/d")
	file := write(t, 0o644, "api_token_file = '"+token+"'\n")
	var s settings
	l, err := config.Load(&s, config.Sources{File: file, Environ: []string{"MANDATE_DATABASE_FILE=" + url}})
	if err != nil || s.Token != "hunter2" || s.Database != "postgres://u:hunter3@h/d" || len(l.Warnings) > 0 {
		t.Fatal(err, s, l.Warnings)
	}
	var printed strings.Builder
	l.Print(&printed)
	for key, fact := range l.Facts() {
		printed.WriteString(key + fact)
	}
	if strings.Contains(printed.String(), "hunter") || !strings.Contains(printed.String(), config.Redacted) {
		t.Error(printed.String())
	}
	world := write(t, 0o604, "hunter4")
	_, err = config.Load(new(settings), config.Sources{Environ: []string{"MANDATE_API_TOKEN_FILE=" + world}})
	if err == nil || !strings.Contains(err.Error(), "chmod o=") || strings.Contains(err.Error(), "hunter4") {
		t.Error(err)
	}
	_, err = config.Load(new(settings), config.Sources{Environ: []string{"MANDATE_DATABASE=host=h password=hunter5"}})
	if err != nil {
		t.Error(err)
	}
}

// What the printed configuration says can be read back as a file.
func TestPrintedIsReadBack(t *testing.T) {
	s := settings{Listen: "a:1", Proxies: []string{`quote"`, "b"}, Pool: pool{Size: 2, Timeout: time.Minute, Share: 0.25, Eager: true, Mode: "pooler"}}
	given := map[string]bool{"listen": true, "proxy": true, "pool-size": true, "pool-timeout": true, "pool-share": true, "pool-eager": true, "pool-mode": true}
	l, err := config.Load(&s, config.Sources{Given: given})
	if err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	l.Print(&printed)
	var back settings
	if _, err := config.Load(&back, config.Sources{File: write(t, 0o600, printed.String())}); err != nil {
		t.Fatal(err, printed.String())
	}
	if back.Pool != s.Pool || back.Listen != s.Listen || strings.Join(back.Proxies, "|") != strings.Join(s.Proxies, "|") {
		t.Errorf("%+v\n%s", back, printed.String())
	}
}

// The example is a valid file without any setting, and becomes one with every
// setting when it is uncommented.
func TestExampleIsAFile(t *testing.T) {
	var text strings.Builder
	config.Example(&text, new(settings))
	if _, err := config.Load(new(settings), config.Sources{File: write(t, 0o600, text.String())}); err != nil {
		t.Error(err)
	}
	var lines []string
	for line := range strings.Lines(text.String()) {
		if !strings.Contains(line, "_file = ") {
			line = strings.TrimPrefix(line, "#")
		}
		if strings.HasPrefix(line, " ") {
			line = "#" + line
		}
		lines = append(lines, line)
	}
	if _, err := config.Load(new(settings), config.Sources{File: write(t, 0o600, strings.Join(lines, ""))}); err != nil {
		t.Errorf("%v\n%s", err, strings.Join(lines, ""))
	}
}
