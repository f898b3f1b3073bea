package embedded_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/mandate-health/mandate/store"
)

// childFolder tells the test program that it is the one to be killed.
const childFolder = "MANDATE_TEST_KILL_FOLDER"

// Killed in the middle of writing, the store loses nothing it confirmed, and
// opens again.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(childFolder); dir != "" {
		writeUntilKilled(t, dir)
		return
	}
	dir, confirmed := t.TempDir(), []string{}
	for round := range 4 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), childFolder+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 1; lines.Scan(); n++ {
			if id, ok := strings.CutPrefix(lines.Text(), "confirmed "); ok {
				confirmed = append(confirmed, id)
			}
			if n == 40*(round+1) {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) {
			_, s := open(t, dir)
			for _, id := range confirmed {
				if _, err := s.GrantByID(t.Context(), "main", id); err != nil {
					t.Errorf("confirmed grant %s: %v", id, err)
				}
			}
		})
	}
	if len(confirmed) == 0 {
		t.Error("no write was confirmed")
	}
}

func writeUntilKilled(t *testing.T, dir string) {
	_, s := open(t, dir)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, n)
				if err := s.InTx(t.Context(), func(tx store.Tx) error { return tx.CreateGrant(t.Context(), grant(id)) }); err != nil {
					return
				}
				// One write call a line, so that lines stay whole.
				_, _ = os.Stdout.WriteString("confirmed " + id + "\n")
			}
		})
	}
	wg.Wait()
}
