package door_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/door"
	"github.com/mandate-health/mandate/internal/errs"
)

// serve opens a door and gives its path; it is closed before the test ends.
func serve(t *testing.T, path string, handle func(context.Context, *door.Visit) int) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	d, err := door.Listen(ctx, path, "")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		d.Serve(ctx, handle)
		close(done)
	}()
	t.Cleanup(func() {
		stop()
		<-done
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is left behind: %v", err)
		}
	})
}

// call runs a command and gives what its caller saw.
func call(t *testing.T, path string, c door.Call, term door.Terminal) (exit int, out, errOut string, err error) {
	t.Helper()
	caller, err := door.Dial(t.Context(), path)
	if err != nil {
		return 1, "", "", err
	}
	defer func() { _ = caller.Close() }()
	var o, e bytes.Buffer
	term.Out, term.Err = &o, &e
	exit, err = caller.Do(t.Context(), c, term)
	return exit, o.String(), e.String(), err
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if err == nil || errs.As(err).Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

// SE-05: the socket lets in its own user only, and the system says who calls.
func TestACommandActsInside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "operator.sock")
	serve(t, path, func(ctx context.Context, v *door.Visit) int {
		said, err := io.ReadAll(v.In(ctx))
		fmt.Fprintf(v.Out(), "%s %s %s: %s %v", v.Version, v.Command, v.Flags, said, err)
		fmt.Fprint(v.Err(), v.User.Name)
		return 3
	})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v %v", info.Mode(), err)
	}
	exit, out, errOut, err := call(t, path, door.Call{Version: "1", Command: "keys list", Flags: []byte(`{"JSON":true}`)},
		door.Terminal{In: strings.NewReader("a passphrase\n")})
	if err != nil || exit != 3 || out != "1 keys list {\"JSON\":true}: a passphrase\n <nil>" {
		t.Errorf("%d %q %v", exit, out, err)
	}
	name := strconv.Itoa(os.Geteuid())
	if me, err := user.Current(); err == nil {
		name = me.Username
	}
	if errOut != name {
		t.Errorf("the caller is %q, want %q", errOut, name)
	}
}

func TestLongOutputAndLongPaths(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("a-rather-long-name/", 8), "operator.sock")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("0123456789abcdef", 200_000)
	serve(t, path, func(_ context.Context, v *door.Visit) int {
		fmt.Fprint(v.Out(), long)
		return 0
	})
	if exit, out, _, err := call(t, path, door.Call{}, door.Terminal{}); exit != 0 || out != long || err != nil {
		t.Errorf("%d, %d bytes, %v", exit, len(out), err)
	}
}

// A server that was broken into gets nothing of its caller but what the command
// names.
func TestOnlyNamedFiles(t *testing.T) {
	dir := t.TempDir()
	named, secret := filepath.Join(dir, "clients.json"), filepath.Join(dir, "secret")
	for _, path := range []string{named, secret} {
		if err := os.WriteFile(path, []byte("content of "+filepath.Base(path)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	makes := filepath.Join(dir, "shares")
	path := filepath.Join(dir, "operator.sock")
	serve(t, path, func(ctx context.Context, v *door.Visit) int {
		for _, file := range []string{named, secret, filepath.Join(dir, ".", "..", "x")} {
			raw, err := v.ReadFile(ctx, file)
			fmt.Fprintln(v.Out(), "read", string(raw), err != nil)
		}
		for _, file := range []string{filepath.Join(makes, "1"), filepath.Join(makes, "1"), filepath.Join(makes, "..", "2"), secret} {
			fmt.Fprintln(v.Out(), "make", v.CreateFile(ctx, file, []byte("a share")) != nil)
		}
		return 0
	})
	_, out, _, err := call(t, path, door.Call{}, door.Terminal{Reads: []string{named}, Makes: makes})
	want := "read content of clients.json false\nread  true\nread  true\nmake false\nmake true\nmake true\nmake true\n"
	if err != nil || out != want {
		t.Errorf("%v, got\n%s", err, out)
	}
	made, err := os.ReadFile(filepath.Join(makes, "1"))
	info, _ := os.Stat(filepath.Join(makes, "1"))
	if string(made) != "a share" || err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%q %v %v", made, err, info.Mode())
	}
}

// A command ends with its caller, and the caller hears when the server ends.
func TestWhoGoesAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "operator.sock")
	ctx, stop := context.WithCancel(t.Context())
	d, err := door.Listen(ctx, path, "")
	if err != nil {
		t.Fatal(err)
	}
	began, ended := make(chan struct{}, 2), make(chan error, 2)
	done := make(chan struct{})
	go func() {
		d.Serve(ctx, func(ctx context.Context, _ *door.Visit) int {
			began <- struct{}{}
			<-ctx.Done()
			ended <- ctx.Err()
			return 1
		})
		close(done)
	}()
	caller, err := door.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	left, leave := context.WithCancel(t.Context())
	told := make(chan error, 1)
	go func() {
		_, err := caller.Do(left, door.Call{}, door.Terminal{})
		told <- err
	}()
	<-began
	leave()
	over(t, <-ended)
	wantCode(t, <-told, "door-gone")

	if caller, err = door.Dial(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := caller.Do(t.Context(), door.Call{}, door.Terminal{})
		told <- err
	}()
	<-began
	stop()
	over(t, <-ended)
	wantCode(t, <-told, "door-gone")
	<-done
	_, err = door.Dial(t.Context(), path)
	wantCode(t, err, "door-absent")
}

func over(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the command ended by %v", err)
	}
}

func TestWhoHasTheDoor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "operator.sock")
	_, err := door.Dial(t.Context(), path)
	wantCode(t, err, "door-absent")
	serve(t, path, func(context.Context, *door.Visit) int { return 0 })
	_, err = door.Listen(t.Context(), path, "")
	wantCode(t, err, "door-taken")
	if exit, _, _, err := call(t, path, door.Call{}, door.Terminal{}); exit != 0 || err != nil {
		t.Errorf("the first server does not answer any more: %d %v", exit, err)
	}

	// What a dead server left is replaced, and what is no socket stays.
	dead := filepath.Join(t.TempDir(), "operator.sock")
	l, err := door.Listen(t.Context(), dead, "")
	if err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := os.Link(dead, dead+".left"); err != nil {
		t.Fatal(err)
	}
	l.Serve(ended, nil)
	if err := os.Rename(dead+".left", dead); err != nil {
		t.Fatal(err)
	}
	serve(t, dead, func(context.Context, *door.Visit) int { return 0 })
	file := filepath.Join(t.TempDir(), "operator.sock")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = door.Listen(t.Context(), file, "")
	wantCode(t, err, "door-not-opened")
	if raw, err := os.ReadFile(file); string(raw) != "mine" {
		t.Errorf("the file: %q %v", raw, err)
	}
	_, err = door.Listen(t.Context(), filepath.Join(t.TempDir(), "s"), "no-such-group")
	wantCode(t, err, "door-group")
}

// Members of a group come in where one is named.
func TestADoorForAGroup(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "operator.sock")
	d, err := door.Listen(t.Context(), path, group.Name)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	d.Serve(ended, nil)
}
