package store_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/migrations"
	"github.com/mandate-health/mandate/store"
)

// native matches what only one of the engines, or not every engine that speaks
// PostgreSQL's language, understands.
var native = regexp.MustCompile(`(?i)::\w|\bILIKE\b|\bFOR UPDATE\b|\bSKIP LOCKED\b|\bANY\s*\(|\bUNNEST\b|\bNOW\(\)|\bINTERVAL\b|\bJSONB\b|` +
	`\bSERIAL\b|\bPARTITION\b|\bLISTEN\b|\bNOTIFY\b|\bpg_\w+|\bsqlite_\w+|\bAUTOINCREMENT\b|\bROWID\b|\bPRAGMA\b|\bSTRFTIME\b|` +
	`\bIFNULL\b|\bINSERT OR\b|\bDISTINCT ON\b|\bLATERAL\b|\bADVISORY\b|\bDO \$\$|\bCREATE (?:FUNCTION|TRIGGER|EXTENSION|TYPE)\b`)

var statement = regexp.MustCompile(`^\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|ALTER|DROP|SET)\s`)

// One text for both engines (D4): what differs has its place in the Dialect.
func TestStatementsArePortable(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range sources {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING && statement.MatchString(strings.Trim(text.Value, "`\"")) {
				if found := native.FindString(text.Value); found != "" {
					t.Errorf("%s: %q is not portable: put it into the Dialect\n%s", file, found, text.Value)
				}
			}
			return true
		})
	}
	files, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(migrations.FS, file)
		if err != nil {
			t.Fatal(err)
		}
		bare := regexp.MustCompile(`--.*`).ReplaceAllString(string(text), "")
		if found := native.FindString(bare); found != "" {
			t.Errorf("%s: %q is not portable", file, found)
		}
	}
}

// Each exception is listed with its reason.
func TestExceptionsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/operations/scale.md")
	if err != nil {
		t.Fatal(err)
	}
	d := reflect.TypeFor[store.Dialect]()
	for i := range d.NumField() {
		if name := d.Field(i).Name; name != "Name" && !strings.Contains(string(doc), "| `"+name+"` |") {
			t.Errorf("docs/operations/scale.md does not list Dialect.%s", name)
		}
	}
}
