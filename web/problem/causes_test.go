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

// Every cause code that a room of ours writes as a literal is explained: in a call
// of errs.New or errs.Wrap, in one of a function that takes it as its parameter
// code, in a reason of a decision, and where a scope's fate is told.
func TestEveryCauseHasAKind(t *testing.T) {
	found := causesIn(t, os.DirFS("../.."))
	for code, file := range found {
		if KindOf(code) == "" {
			t.Errorf("%s: add %s with its kind to causes.tsv", file, code)
		}
	}
	if len(found) < 500 {
		t.Errorf("only %d causes found", len(found))
	}
}

// permits are the reasons of decisions that allow, and labels: they cause no
// failure.
var permits = map[string]bool{"permit": true, "scope": true, "own-identity-or-document": true, "NOPAT": true, "classified": true, "unclassified": true}

// causesIn gives the codes with a file of each.
func causesIn(t *testing.T, root fs.FS) map[string]string {
	t.Helper()
	files := map[string]*ast.File{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == "conformance" || name == "store/storetest" || name == "web/demo" || d.Name() != "." && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		files[name], err = parser.ParseFile(token.NewFileSet(), name, text, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// helpers are the functions of a folder that take a code, with its place.
	helpers := map[string]int{}
	for name, file := range files {
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				if at, makes := codeParameter(f); at >= 0 && (makes || path.Dir(name) == "access") {
					helpers[path.Dir(name)+" "+f.Name.Name] = at
				}
			}
		}
	}
	found := map[string]string{}
	for name, file := range files {
		ast.Inspect(file, func(node ast.Node) bool {
			if code := causeOf(node, path.Dir(name), helpers); code != "" && !permits[code] {
				found[code] = name
			}
			return true
		})
	}
	return found
}

// codeParameter gives the place of the parameter code of a function, -1 without
// one, and whether it makes an error of it.
func codeParameter(f *ast.FuncDecl) (at int, makes bool) {
	at, place := -1, 0
	for _, field := range f.Type.Params.List {
		for _, name := range field.Names {
			if name.Name == "code" {
				at = place
			}
			place++
		}
	}
	ast.Inspect(f, func(node ast.Node) bool {
		if call, ok := node.(*ast.CallExpr); ok && makesError(call) {
			given, ok := call.Args[len(call.Args)-2].(*ast.Ident)
			makes = makes || ok && given.Name == "code"
		}
		return true
	})
	return at, makes
}

func makesError(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) < 3 {
		return false
	}
	from, ok := f.X.(*ast.Ident)
	return ok && from.Name == "errs" && (f.Sel.Name == "New" || f.Sel.Name == "Wrap")
}

// causeOf gives the code that stands at a node, "" for anything else and for a
// code that is no literal.
func causeOf(node ast.Node, dir string, helpers map[string]int) string {
	switch n := node.(type) {
	case *ast.CallExpr:
		if makesError(n) {
			return literal(n.Args[len(n.Args)-2])
		}
		if f, ok := n.Fun.(*ast.Ident); ok {
			if at, known := helpers[dir+" "+f.Name]; known && at < len(n.Args) {
				return literal(n.Args[at])
			}
		}
	case *ast.KeyValueExpr:
		key, ok := n.Key.(*ast.Ident)
		if ok && strings.EqualFold(key.Name, "code") && (dir == "access" || dir == "web/gateway") {
			return literal(n.Value)
		}
	case *ast.ValueSpec:
		if dir == "access" && strings.HasPrefix(n.Names[0].Name, "Why") && len(n.Values) == 1 {
			return literal(n.Values[0])
		}
	}
	return ""
}

func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	text, err := strconv.Unquote(lit.Value)
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
