package app_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/testpg"
	"github.com/mandate-health/mandate/store"
)

// logsIn reports whether a person gets in with the password of before.
func (s *server) logsIn(t *testing.T, username string) bool {
	t.Helper()
	b := s.NewBrowser(s.Person(username))
	p, err := b.Open(t.Context(), s.at("/home"), "")
	if err != nil {
		t.Fatal(err)
	}
	form := p.FormWith("password")
	if form == nil {
		t.Fatal("no log-in page")
	}
	form.Set("username", username)
	form.Set("password", s.Person(username).Password)
	home, err := b.Submit(t.Context(), form, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range home.Forms {
		if strings.HasSuffix(f.Action, "/signout") {
			return true
		}
	}
	return false
}

// SG-09: an account that was disabled and a password that was replaced after the
// backup do not open anything after a restore; an untouched one does.
//
// long: one story from beginning to end.
func TestAccountsThatEndedStayEnded(t *testing.T) {
	for name, database := range map[string]func() string{
		"embedded": func() string { return "" }, "postgres": func() string { return testpg.Start(t) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writer, reader, kek := filepath.Join(dir, "w.key"), filepath.Join(dir, "r.key"), "file:"+filepath.Join(dir, "kek.json")
			backups, journal := filepath.Join(dir, "backups"), filepath.Join(dir, "journal")
			offset := filepath.Join(dir, "offset")
			for _, d := range []string{backups, journal} {
				if err := os.Mkdir(d, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(offset, []byte("10m"), 0o600); err != nil {
				t.Fatal(err)
			}
			works := func(args ...string) {
				t.Helper()
				if code, out, errOut := cli(t, args...); code != 0 {
					t.Fatal(args, out, errOut)
				}
			}
			works("backup", "keygen", "--writer", writer, "--reader", reader)
			var cfg app.Config
			serve := func(data, dsn, shifted string) *server {
				return start(t, func(c *app.Config) {
					c.Data, c.Database, c.Keys, c.ClockOffset = data, dsn, kek, shifted
					c.Backup = app.BackupConfig{Key: writer, Journal: journal}
					cfg = *c
				})
			}
			place := func(data, dsn string) []string {
				if dsn != "" {
					return []string{"--database", dsn, "--keys", kek}
				}
				return []string{"--data", data, "--keys", kek}
			}
			from, to := database(), database()
			s := serve(filepath.Join(dir, "from"), from, "")
			works(append([]string{"backup", "--to", backups, "--backup-key", writer}, place(cfg.Data, from)...)...)
			for _, person := range []string{"rosa", "joaquin", "noah"} {
				if !s.logsIn(t, person) {
					t.Fatalf("%s does not get in before anything ended", person)
				}
			}
			s.stop(t)
			err := app.OnStore(t.Context(), cfg, func(ctx context.Context, st *store.Store) error {
				rosa, err := st.PersonByUsername(ctx, "default", "rosa")
				if err != nil {
					return err
				}
				rosa.Disabled = true
				factors, err := st.Factors(ctx, "default", "demo-joaquin")
				if err != nil {
					return err
				}
				for _, f := range factors {
					if f.Kind == identity.FactorPassword {
						f.Secret = []byte("$argon2id$another")
						if err := st.PutFactor(ctx, f); err != nil {
							return err
						}
					}
				}
				return st.PutPerson(ctx, rosa)
			})
			if err != nil {
				t.Fatal(err)
			}
			works(append([]string{"restore", "--from", backups, "--backup-key", reader, "--revocation-journal", journal}, place(filepath.Join(dir, "to"), to)...)...)
			s = serve(filepath.Join(dir, "to"), to, offset)
			for person, want := range map[string]bool{"rosa": false, "joaquin": false, "noah": true} {
				if s.logsIn(t, person) != want {
					t.Errorf("%s gets in after the restore: %v", person, !want)
				}
			}
		})
	}
}
