package arch

import (
	"bufio"
	"fmt"
	"go/ast"
	"io"
	"path"
	"slices"
	"strings"
)

// CallRule keeps one call to named folders.
type CallRule struct {
	// Call is "import/path.Name", "import/path.*" or "panic"; "testing.Skip"
	// stands for the three methods that skip a test.
	Call string
	// Code and Tests tell which kind of file is judged.
	Code, Tests bool
	// In lists folders, folder patterns and files that may make the call.
	In []string
	// Why is shown to whoever breaks the rule.
	Why string
}

// ParseCalls reads the form that calls.txt describes in its first lines.
// Several lines for one call add up.
func ParseCalls(r io.Reader) ([]CallRule, error) {
	var rules []CallRule
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		head, why, _ := strings.Cut(lines.Text(), " : ")
		fields := strings.Fields(head)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) < 4 || fields[2] != "in" || why == "" || !slices.Contains([]string{"code", "tests", "all"}, fields[1]) {
			return nil, fmt.Errorf("calls line %d: want CALL code|tests|all in FOLDER... : reason", n)
		}
		same := slices.IndexFunc(rules, func(r CallRule) bool { return r.Call == fields[0] })
		if same >= 0 {
			rules[same].In = append(rules[same].In, fields[3:]...)
			continue
		}
		rules = append(rules, CallRule{
			Call: fields[0], In: fields[3:], Why: why,
			Code: fields[1] != "tests", Tests: fields[1] != "code",
		})
	}
	return rules, lines.Err()
}

func (r CallRule) judges(folder string, f *File) bool {
	kind := f.Test && r.Tests || !f.Test && r.Code
	return kind && !matchesAny(r.In, folder) && !slices.Contains(r.In, f.Path)
}

// CheckCalls finds each use of a name that the rules keep elsewhere.
func (t *Tree) CheckCalls(rules []CallRule) []Violation {
	var found []Violation
	for _, p := range t.Packages {
		for _, f := range p.Files {
			names := importNames(f.Syntax)
			for _, rule := range rules {
				if rule.judges(p.Path, f) {
					found = append(found, t.uses(f, names, rule)...)
				}
			}
		}
	}
	return found
}

// uses finds a name, called or taken as a value, in one file. A function whose
// name begins with Must may panic: that is what the name says.
func (t *Tree) uses(f *File, names map[string]string, rule CallRule) []Violation {
	var found []Violation
	for _, d := range f.Syntax.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && rule.Call == "panic" && mayPanic(fn) {
			continue
		}
		ast.Inspect(d, func(n ast.Node) bool {
			if name, ok := used(n, names); ok && rule.names(name) {
				found = append(found, Violation{at(f, t.Fset.Position(n.Pos()).Line), "uses " + name + ": " + rule.Why})
			}
			return true
		})
	}
	return found
}

func mayPanic(fn *ast.FuncDecl) bool {
	return strings.HasPrefix(strings.ToLower(fn.Name.Name), "must")
}

func (r CallRule) names(name string) bool {
	if imported, all := strings.CutSuffix(r.Call, ".*"); all {
		cut := strings.LastIndexByte(name, '.')
		return cut >= 0 && name[:cut] == imported
	}
	return r.Call == name
}

// used names what a node refers to: "import/path.Name", "panic" or
// "testing.Skip".
func used(n ast.Node, names map[string]string) (string, bool) {
	switch n := n.(type) {
	case *ast.CallExpr:
		id, ok := n.Fun.(*ast.Ident)
		return "panic", ok && id.Name == "panic"
	case *ast.SelectorExpr:
		id, ok := n.X.(*ast.Ident)
		if !ok {
			return "", false
		}
		_, tests := names["testing"]
		if tests && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, n.Sel.Name) {
			return "testing.Skip", true
		}
		imported, ok := names[id.Name]
		return imported + "." + n.Sel.Name, ok
	}
	return "", false
}

// importNames gives for each name by which a file refers to an import its path.
func importNames(file *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range file.Imports {
		imported := strings.Trim(spec.Path.Value, `"`)
		name := path.Base(imported)
		if before, version := path.Split(imported); len(version) > 1 && version[0] == 'v' && strings.Trim(version[1:], "0123456789") == "" {
			name = path.Base(before)
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = imported
	}
	return names
}
