package embedded_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/store/embedded"
	"github.com/mandate-health/mandate/store/storetest"
)

// open gives the engine of a folder, and a migrated store on it.
func open(t *testing.T, dir string) (*embedded.Engine, *store.Store) {
	t.Helper()
	engine, err := embedded.Open(t.Context(), embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s := store.New(engine, store.Options{})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return engine, s
}

func grant(id string) oauth.Grant { return oauth.Grant{Tenant: "main", ID: id, PersonID: "p"} }

func count(t *testing.T, s *store.Store) int {
	t.Helper()
	all, err := s.GrantsOfPerson(t.Context(), "main", "p")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Engine {
		engine, err := embedded.Open(t.Context(), embedded.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		return engine
	})
}

func TestTampering(t *testing.T) {
	storetest.Tampering(t, func(t *testing.T) (store.Engine, storetest.SQL) {
		dir := t.TempDir()
		engine, err := embedded.Open(t.Context(), embedded.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return engine, func(t *testing.T, statement string) {
			t.Helper()
			db, err := sql.Open("sqlite", filepath.Join(dir, "mandate.db"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = db.ExecContext(t.Context(), statement)
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	})
}

// The second process is told which folder and what to do; a closed folder is
// free again and still holds everything, in files for its owner alone.
func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a folder?with#signs")
	engine, err := embedded.Open(t.Context(), embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s := store.New(engine, store.Options{})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateGrant(t.Context(), grant("g1")); err != nil {
		t.Fatal(err)
	}
	for _, empty := range []bool{false, true} {
		_, err = embedded.Open(t.Context(), embedded.Config{Dir: dir, Empty: empty})
		if e := errs.As(err); e == nil || e.Code != "data-folder-in-use" || e.Kind != errs.Conflict || !strings.Contains(e.Msg, dir) {
			t.Errorf("second opening gave %v", err)
		}
	}
	if files, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "*", "mandate.db")); err != nil || len(files) != 1 {
		t.Errorf("who was refused the folder left %v", files)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateGrant(t.Context(), grant("g2")); !errs.Is(err, errs.Unavailable) {
		t.Errorf("a closed store gave %v", err)
	}
	if _, err := s.GrantByID(t.Context(), "main", "g1"); !errs.Is(err, errs.Unavailable) {
		t.Errorf("a closed store gave %v", err)
	}
	_, s = open(t, dir)
	if got := count(t, s); got != 1 {
		t.Errorf("%d grants after opening again", got)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", f.Name(), info.Mode(), err)
		}
	}
}

func TestUnwritableFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below"), "/proc/mandate"} {
		_, err := embedded.Open(t.Context(), embedded.Config{Dir: dir})
		if e := errs.As(err); e == nil || e.Code != "data-folder-unwritable" || !strings.Contains(e.Msg, dir) {
			t.Errorf("%s gave %v", dir, err)
		}
	}
}

// Writers that wait while another works share its commit.
func TestGroupCommit(t *testing.T) {
	engine, s := open(t, t.TempDir())
	before := engine.Commits()
	const waiting = 40
	var wg sync.WaitGroup
	held, release := make(chan struct{}), make(chan struct{})
	wg.Go(func() {
		err := s.InTx(t.Context(), func(tx store.Tx) error {
			close(held)
			<-release
			return tx.CreateGrant(t.Context(), grant("first"))
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-held
	var queued sync.WaitGroup
	for i := range waiting {
		queued.Add(1)
		wg.Go(func() {
			queued.Done()
			if err := s.CreateGrant(t.Context(), grant(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	queued.Wait()
	close(release)
	wg.Wait()
	if got := count(t, s); got != waiting+1 {
		t.Errorf("%d grants", got)
	}
	// The last ones to queue may miss the first commit, not more.
	if got := engine.Commits() - before; got > waiting/2 {
		t.Errorf("%d commits for %d transactions", got, waiting+1)
	}
}

// When SQLite undoes a whole batch by itself, the others in it run again and
// nobody's work is lost or done twice.
func TestLostBatch(t *testing.T) {
	engine, s := open(t, t.TempDir())
	var wg sync.WaitGroup
	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	wg.Go(func() {
		err := s.InTx(t.Context(), func(tx store.Tx) error {
			once.Do(func() {
				close(held)
				<-release
			})
			return tx.CreateGrant(t.Context(), grant("first"))
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-held
	broke := errors.New("broke")
	for i := range 30 {
		wg.Go(func() {
			if i%10 == 0 {
				err := engine.InTx(t.Context(), func(c store.Conn) error {
					_, _ = c.Exec(t.Context(), "ROLLBACK")
					return broke
				})
				if !errors.Is(err, broke) {
					t.Error(err)
				}
				return
			}
			if err := s.CreateGrant(t.Context(), grant(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	close(release)
	wg.Wait()
	if got := count(t, s); got != 28 {
		t.Errorf("%d grants, want 28", got)
	}
}

// A full disk refuses writes, loses nothing that was confirmed, still answers
// reads, and is over when there is room again.
func TestFullDisk(t *testing.T) {
	engine, s := open(t, t.TempDir())
	pages := func(n int) {
		err := engine.InTx(t.Context(), func(c store.Conn) error {
			var got int
			return c.QueryRow(t.Context(), fmt.Sprint("PRAGMA max_page_count = ", n)).Scan(&got)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	pages(1)
	big, confirmed := strings.Repeat("x", 20000), 0
	var err error
	for err == nil {
		g := grant(fmt.Sprint(confirmed))
		g.Scopes = big
		if err = s.CreateGrant(t.Context(), g); err == nil {
			confirmed++
		}
	}
	if e := errs.As(err); e.Kind != errs.Unavailable || e.Code != "store-full" {
		t.Errorf("got %v", err)
	}
	if got := count(t, s); got != confirmed {
		t.Errorf("%d grants, %d confirmed", got, confirmed)
	}
	pages(1 << 30)
	if err := s.CreateGrant(t.Context(), grant("after")); err != nil {
		t.Error(err)
	}
}

// A caller who gives up while another writes leaves no trace and blocks nobody.
func TestGivingUpInTheQueue(t *testing.T) {
	_, s := open(t, t.TempDir())
	err := s.InTx(t.Context(), func(tx store.Tx) error {
		if _, err := tx.GrantByID(t.Context(), "main", "none"); !errs.Is(err, errs.NotFound) {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := s.CreateGrant(ctx, grant("late")); !errs.Is(err, errs.Unavailable) {
			t.Errorf("got %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := s.CreateGrant(t.Context(), grant("next")); err != nil {
		t.Error(err)
	}
	if got := count(t, s); got != 1 {
		t.Errorf("%d grants", got)
	}
}

func TestUseAfterTheEnd(t *testing.T) {
	_, s := open(t, t.TempDir())
	var kept store.Tx
	if err := s.InTx(t.Context(), func(tx store.Tx) error { kept = tx; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := kept.CreateGrant(t.Context(), grant("x")); !errs.Is(err, errs.Internal) {
		t.Errorf("got %v", err)
	}
}
