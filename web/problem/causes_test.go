package problem

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every cause code that a room of ours writes as a literal is explained.
func TestEveryCauseHasAKind(t *testing.T) {
	root := os.DirFS("../..")
	n := 0
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == "conformance" || name == "store/storetest" || d.Name() != "." && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if code := causeOf(node); code != "" {
				n++
				if KindOf(code) == "" {
					t.Errorf("%s: add %s with its kind to causes.tsv", name, code)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 200 {
		t.Errorf("only %d causes found", n)
	}
}

// causeOf gives the code of a call of errs.New or errs.Wrap, "" for anything
// else and for a code that is no literal.
func causeOf(node ast.Node) string {
	call, ok := node.(*ast.CallExpr)
	if !ok || len(call.Args) < 3 {
		return ""
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if from, ok := f.X.(*ast.Ident); !ok || from.Name != "errs" || f.Sel.Name != "New" && f.Sel.Name != "Wrap" {
		return ""
	}
	code, ok := call.Args[len(call.Args)-2].(*ast.BasicLit)
	if !ok {
		return ""
	}
	text, err := strconv.Unquote(code.Value)
	if err != nil {
		return ""
	}
	return text
}

func TestCausesAreSortedAndOfAKnownKind(t *testing.T) {
	rows := table()
	var codes []string
	for line := range strings.Lines(causes) {
		code, _, _ := strings.Cut(line, "\t")
		codes = append(codes, code)
		if _, known := rows[KindOf(code)]; !known {
			t.Errorf("%q has no kind", line)
		}
	}
	if !slices.IsSorted(codes) || len(slices.Compact(slices.Clone(codes))) != len(codes) {
		t.Error("causes.tsv is not sorted, or has a code twice")
	}
	if got := KindOf("not-a-code"); got != "" {
		t.Errorf("an unlisted code is %q", got)
	}
}
