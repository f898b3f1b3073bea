package storetest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/store"
)

// Every method of every room's port is called by the suite, so that no engine
// passes without it.
func TestEveryPortMethodIsCalled(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	called := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if method, ok := call.Fun.(*ast.SelectorExpr); ok {
				called[method.Sel.Name] = true
			}
			return true
		})
	}
	ports := reflect.TypeFor[store.Tx]()
	if ports.NumMethod() < 40 {
		t.Errorf("only %d methods found", ports.NumMethod())
	}
	for i := range ports.NumMethod() {
		if name := ports.Method(i).Name; !called[name] {
			t.Errorf("no section of the suite calls %s", name)
		}
	}
}
