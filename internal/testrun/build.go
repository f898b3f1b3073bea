package testrun

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is what is built.
const program = "github.com/mandate-health/mandate/cmd/mandate"

// Build builds the program into a folder, with build tags where some are named,
// and gives its path. Errors: what the compiler said.
func Build(ctx context.Context, dir string, tags ...string) (string, error) {
	path := filepath.Join(dir, "mandate")
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", strings.Join(tags, ","), "-o", path, program) //nolint:gosec // a test names the tags
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the binary is not built: %w\n%s", err, out)
	}
	return path, nil
}
