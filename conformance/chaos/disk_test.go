package chaos_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/mandate-health/mandate/internal/testpg"
)

// small makes a folder on a file system of its own of so many MiB; ok is false
// where the user may not mount one.
func small(t *testing.T, dir, mebibytes string) (ok bool) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o700))
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+mebibytes+"m,mode=0777"); err != nil {
		t.Logf("not run on a full disk: mounting one needs another user: %v", err)
		return false
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return true
}

// fill writes until the disk is full and gives what makes room again.
func fill(t *testing.T, dir string) (empty func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	must(t, err)
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	must(t, f.Close())
	return func() { must(t, os.Remove(path)) }
}

// TestFullDisk: the disk of the embedded store fills up under load, and is given
// room again.
func TestFullDisk(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		dir := t.TempDir()
		if !small(t, dir, "64") {
			return
		}
		w := begin(t, "--data", dir)
		for range either(1, 5) {
			w.wait(t, 2, 0)
			empty := fill(t, dir)
			w.wait(t, 0, 5)
			empty()
			w.wait(t, 1, 0)
		}
		w.verdict(t)
		must(t, w.node.Stop())
		intact(t, dir)
	})
	t.Run("embedded, by a limit of the kernel", func(t *testing.T) {
		// What can be done where nobody may mount a disk.
		w := begin(t)
		for range either(1, 5) {
			w.wait(t, 2, 0)
			must(t, w.node.LimitFiles(64<<10))
			w.wait(t, 0, 5)
			must(t, w.node.LimitFiles(0))
			w.wait(t, 1, 0)
		}
		w.verdict(t)
		must(t, w.node.Stop())
		intact(t, w.node.Dir)
	})
}

// TestFullDatabaseDisk: the same for the disk of PostgreSQL, with its log on it
// and without.
func TestFullDatabaseDisk(t *testing.T) {
	t.Run("postgresql and its log", func(t *testing.T) {
		dir := t.TempDir()
		if !small(t, dir, "160") {
			return
		}
		// The server runs as another user, who must get through to it.
		must(t, os.Chmod(filepath.Dir(dir), 0o755))
		t.Setenv("TMPDIR", dir)
		cluster := testpg.New(t)
		w := begin(t, "--database", cluster.URL())
		for range either(1, 3) {
			w.wait(t, 2, 0)
			empty := fill(t, dir)
			w.wait(t, 0, 5)
			again(t, cluster, func() error { empty(); return nil })
			w.wait(t, 1, 0)
		}
		w.verdict(t)
		sound(t, cluster)
	})
	t.Run("postgresql and its log, by a limit of the kernel", func(t *testing.T) {
		// What can be done where nobody may mount a disk.
		cluster := testpg.New(t)
		w := begin(t, "--database", cluster.URL())
		for range either(1, 3) {
			w.wait(t, 2, 0)
			must(t, cluster.LimitFiles(64<<10))
			w.wait(t, 0, 5)
			again(t, cluster, func() error { return cluster.LimitFiles(0) })
			w.wait(t, 1, 0)
		}
		w.verdict(t)
		sound(t, cluster)
	})
	t.Run("postgresql", func(t *testing.T) {
		cluster := testpg.New(t)
		dir := filepath.Join(cluster.Dir, "small")
		if !small(t, dir, "64") {
			return
		}
		// Only the tables lie on the small disk.
		must(t, cluster.Own(dir))
		sql(t, cluster, "CREATE TABLESPACE small LOCATION '"+dir+"'")
		sql(t, cluster, "CREATE ROLE app LOGIN PASSWORD '"+cluster.Password+"'")
		sql(t, cluster, "ALTER ROLE app SET default_tablespace = 'small'")
		sql(t, cluster, "GRANT CREATE ON TABLESPACE small TO app")
		sql(t, cluster, "CREATE SCHEMA app AUTHORIZATION app")
		w := begin(t, "--database", cluster.As("app", cluster.Address))
		w.wait(t, 2, 0)
		empty := fill(t, dir)
		w.wait(t, 0, 5)
		empty()
		w.verdict(t)
		sound(t, cluster)
	})
}

// again makes room. A PostgreSQL that cannot write its log ends; whoever looks
// after it starts it again. Nobody touches Mandate.
func again(t *testing.T, cluster *testpg.Cluster, room func() error) {
	t.Helper()
	err := room()
	if err == nil {
		_, err = cluster.SQL("CREATE TABLE probe AS SELECT 1; DROP TABLE probe")
	}
	if err != nil {
		must(t, cluster.Kill())
		must(t, cluster.Launch())
	}
}

// intact checks the file of an embedded store that no server has open.
func intact(t *testing.T, dir string) {
	t.Helper()
	if filepath.Base(dir) != "data" {
		if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
			dir = filepath.Join(dir, "data")
		}
	}
	out, err := exec.Command(binary, "migrate", "check", "--data", dir).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
