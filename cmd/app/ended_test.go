package app_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
)

// ending ends a server when it says a word.
type ending struct {
	slog.Handler
	word string
	end  context.CancelFunc
}

func (h ending) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == h.word {
		h.end()
	}
	return h.Handler.Handle(ctx, r)
}

// Who ends a server while it still makes its demo people ends it in good
// order: nothing failed.
func TestEndedWhileItStarts(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	defer end()
	said := &lockedBuffer{}
	err := app.Run(ctx, app.Config{
		Listen: "127.0.0.1:0", Data: filepath.Join(t.TempDir(), "data"), Dev: true, HelpPhone: "+1 555 0100", Out: io.Discard,
		Log: slog.New(ending{slog.NewTextHandler(said, nil), "serving", end}),
	})
	if err != nil || !strings.Contains(said.String(), "ended before it was ready") || strings.Contains(said.String(), "level=ERROR") {
		t.Errorf("%v\n%s", err, said)
	}
}

// SE-04: a command on a database begins no key file in the folder where it
// happens to run, which no server would find.
func TestCommandsMakeNoStrayKeys(t *testing.T) {
	t.Chdir(t.TempDir())
	refused(t, "No keys are named", "operator", "list", "--database", "postgres://nobody@127.0.0.1:1/none")
	if made, err := os.ReadDir("."); err != nil || len(made) != 0 {
		t.Errorf("%v %v", made, err)
	}
	refused(t, "cannot be reached", "operator", "list", "--database", "postgres://nobody@127.0.0.1:1/none", "--keys", "file:"+filepath.Join(t.TempDir(), "kek.json"))
}
