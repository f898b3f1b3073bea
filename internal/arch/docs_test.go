package arch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A document that nothing leads to is not read: decisions stand in their index,
// what operators need in the README.
func TestEveryDocumentIsLinked(t *testing.T) {
	for index, pattern := range map[string]string{
		"docs/decisions/README.md": "docs/decisions/[0-9]*.md",
		"README.md":                "docs/operations/*.md",
	} {
		root := tree(t).Root
		text, err := os.ReadFile(filepath.Join(root, index))
		if err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files at %s: %v", pattern, err)
		}
		for _, f := range files {
			if !strings.Contains(string(text), filepath.Base(f)+")") {
				t.Errorf("%s does not lead to %s", index, filepath.Base(f))
			}
		}
	}
}
