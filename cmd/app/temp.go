package app

import (
	"log/slog"
	"os"
)

// folder is a temporary one.
type folder struct{ path string }

func tempDir() (folder, error) {
	path, err := os.MkdirTemp("", "mandate-routes-")
	return folder{path}, err
}

func (f folder) remove() { _ = os.RemoveAll(f.path) }

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
