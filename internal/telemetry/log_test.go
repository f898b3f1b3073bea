package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/telemetry"
)

func logged(cfg telemetry.LogConfig, write func(*slog.Logger)) string {
	var b bytes.Buffer
	write(telemetry.NewLogger(&b, cfg))
	return b.String()
}

// What a careless call hands to the log is not shown: unknown keys, tokens,
// passwords, query strings, addresses, names inside foreign errors.
func TestCanariesAreWithheld(t *testing.T) {
	const jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2ln"
	foreign := errors.New(`could not parse {"name":"Canary Alvarez"}`)
	for name, write := range map[string]func(*slog.Logger){
		"unknown key":  func(l *slog.Logger) { l.Info("x", "patient_name", "canary") },
		"token":        func(l *slog.Logger) { l.Info("x", "why", "bad token "+jwt) },
		"opaque token": func(l *slog.Logger) { l.Info("x", "why", "code "+strings.Repeat("canaryCANARY_-", 4)) },
		"message": func(l *slog.Logger) {
			l.Info("GET /authorize?login_hint=canary&x=1 failed for eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2ln")
		},
		"database URL":     func(l *slog.Logger) { l.Info("x", "why", "postgres://canary:canary@db/x") },
		"peer":             func(l *slog.Logger) { l.Info("http: TLS handshake error from 192.0.2.77:4711: cana") },
		"e-mail":           func(l *slog.Logger) { l.Info("x", "why", "mail to canary@example.org") },
		"foreign error":    func(l *slog.Logger) { l.Info("x", "err", foreign) },
		"wrapped error":    func(l *slog.Logger) { l.Info("x", "err", errs.Wrap(foreign, errs.Internal, "a-code", "A sentence.")) },
		"panic value":      func(l *slog.Logger) { l.Info("x", "fault", struct{ Name string }{"canary"}) },
		"struct":           func(l *slog.Logger) { l.Info("x", "kind", struct{ Name string }{"canary"}) },
		"group":            func(l *slog.Logger) { l.Info("x", slog.Group("status", "name_of", "canary")) },
		"with":             func(l *slog.Logger) { l.With("secret", "canary").WithGroup("g").Info("x") },
		"identifier":       func(l *slog.Logger) { l.Info("x", "patient", "canary") },
		"error as text":    func(l *slog.Logger) { l.Info("x", "err", "https://x.example/Patient?family=canary") },
		"network error":    func(l *slog.Logger) { l.Info("x", "err", &net.OpError{Op: "dial", Err: foreign}) },
		"error under open": func(l *slog.Logger) { l.Info("x", "why", foreign) },
	} {
		for _, format := range []string{"text", "json"} {
			out := logged(telemetry.LogConfig{Format: format}, write)
			if out == "" || strings.Contains(strings.ToLower(out), "canary") || strings.Contains(out, "eyJ") || strings.Contains(out, "192.0.2.77:4711") {
				t.Errorf("%s: %s", name, out)
			}
		}
	}
}

// What helps at night is shown.
func TestWhatHelpsIsShown(t *testing.T) {
	out := logged(telemetry.LogConfig{}, func(l *slog.Logger) {
		l.Info("request", "route", "/token", "status", 200, "request_id", "0123456789abcdef0123456789abcdef")
		l.Error("x", "err", errs.Wrap(&fs.PathError{Op: "open", Path: "/etc/x", Err: os.ErrNotExist}, errs.Unavailable, "store-down", "The store is down."))
		l.Error("x", "err", context.DeadlineExceeded)
		l.Debug("quiet")
	})
	for _, want := range []string{"route=/token", "status=200", "0123456789abcdef", "temporarily_unavailable/store-down: The store is down.", "open /etc/x", "deadline exceeded"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in %s", want, out)
		}
	}
	if strings.Contains(out, "quiet") {
		t.Error("the level does not count")
	}
}

// The same id has the same hash in every line; the setting may show or drop it.
func TestIdentifiers(t *testing.T) {
	write := func(l *slog.Logger) { l.Info("x", "client_id", "my-app") }
	hash := logged(telemetry.LogConfig{}, write)
	_, first, _ := strings.Cut(hash, "client_id=")
	_, second, _ := strings.Cut(logged(telemetry.LogConfig{}, write), "client_id=")
	if first != second || !strings.HasPrefix(strings.TrimPrefix(first, `"`), "#") {
		t.Error(hash)
	}
	if out := logged(telemetry.LogConfig{Identifiers: "plain"}, write); !strings.Contains(out, "my-app") {
		t.Error(out)
	}
	if out := logged(telemetry.LogConfig{Identifiers: "drop"}, write); strings.Contains(out, "my-app") || strings.Contains(out, "#") {
		t.Error(out)
	}
}

// Every key of every call of the log has a class: otherwise its value is
// withheld when somebody needs it.
func TestEveryKeyHasAClass(t *testing.T) {
	calls := 0
	err := filepath.WalkDir("../..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/conformance/") {
			return err
		}
		tree, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			first, ok := keysFrom(call)
			if !ok {
				return true
			}
			calls++
			for i := first; i < len(call.Args); i += 2 {
				lit, ok := call.Args[i].(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					continue
				}
				key, err := strconv.Unquote(lit.Value)
				if err == nil && telemetry.ClassOf(key) == 0 {
					t.Errorf("%s: the key %q has no class: add it to classes.go", path, key)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || calls < 15 {
		t.Errorf("%d calls found, %v", calls, err)
	}
}

// keysFrom tells whether a call writes to the log, and which of its arguments
// is the first key.
func keysFrom(call *ast.CallExpr) (int, bool) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return 0, false
	}
	var receiver string
	switch x := method.X.(type) {
	case *ast.Ident:
		receiver = x.Name
	case *ast.SelectorExpr:
		receiver = x.Sel.Name
	}
	if !strings.EqualFold(receiver, "log") && !strings.EqualFold(receiver, "logger") {
		return 0, false
	}
	switch method.Sel.Name {
	case "DebugContext", "InfoContext", "WarnContext", "ErrorContext":
		return 2, true
	case "Debug", "Info", "Warn", "Error":
		return 1, true
	case "With":
		return 0, true
	}
	return 0, false
}
