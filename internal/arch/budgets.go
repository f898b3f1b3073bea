package arch

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

// The budgets. One is a sign that something wants to be two things; it is not
// an aim.
const (
	maxFileLines     = 450
	maxFuncLines     = 60
	maxMainLines     = 40
	maxArguments     = 4
	maxPortMethods   = 15
	maxOtherMethods  = 5
	maxNeighbours    = 8
	longMark         = "// long: "
	portFile         = "store.go"
	programEntryFile = "cmd/mandate/main.go"
)

// CheckBudgets measures files, functions, constructors, interfaces and the
// neighbours of each package.
func (t *Tree) CheckBudgets() []Violation {
	var found []Violation
	for _, p := range t.Packages {
		found = append(found, documented(p)...)
		found = append(found, crowded(p)...)
		for _, f := range p.Files {
			if f.Generated {
				continue
			}
			found = append(found, fileSize(f)...)
			found = append(found, t.functions(f)...)
			found = append(found, t.interfaces(f)...)
		}
	}
	return found
}

// documented demands a doc.go with the package comment. A folder that holds
// only tests has no package to describe.
func documented(p *Package) []Violation {
	var code int
	for _, f := range p.Files {
		if path.Base(f.Path) == "doc.go" && f.Syntax.Doc != nil {
			return nil
		}
		if !f.Test {
			code++
		}
	}
	if code == 0 || p.Name == "main" && hasComment(p) {
		return nil
	}
	return []Violation{{p.Path, "has no doc.go with a package comment"}}
}

func hasComment(p *Package) bool {
	return slices.ContainsFunc(p.Files, func(f *File) bool { return f.Syntax.Doc != nil })
}

// crowded counts the neighbours of a package: what it imports of this module,
// internal and fhir not counted. Composition root and engines are excepted:
// knowing everybody is their work.
func crowded(p *Package) []Violation {
	if p.Path == "cmd/app" || room(p.Path) == "store" {
		return nil
	}
	var neighbours []string
	for _, f := range p.Files {
		for _, i := range f.Imports {
			counted := i.Own && !f.Test && room(i.Path) != "internal" && room(i.Path) != "fhir"
			if counted && !slices.Contains(neighbours, i.Path) {
				neighbours = append(neighbours, i.Path)
			}
		}
	}
	if len(neighbours) <= maxNeighbours {
		return nil
	}
	slices.Sort(neighbours)
	return []Violation{{p.Path, fmt.Sprintf("imports %d packages of the house, %d are allowed: %s",
		len(neighbours), maxNeighbours, strings.Join(neighbours, " "))}}
}

func fileSize(f *File) []Violation {
	limit := maxFileLines
	if f.Path == programEntryFile {
		limit = maxMainLines
	}
	if f.Lines <= limit {
		return nil
	}
	return []Violation{{f.Path, fmt.Sprintf("has %d lines, %d are allowed", f.Lines, limit)}}
}

// functions measures each function declaration and each constructor, and finds
// init functions.
func (t *Tree) functions(f *File) []Violation {
	var found []Violation
	for _, d := range f.Syntax.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		where := at(f, t.Fset.Position(fn.Pos()).Line)
		lines := t.lines(fn)
		if f.Test {
			lines -= t.tables(fn)
		}
		if lines > maxFuncLines && !saysWhyLong(fn) {
			found = append(found, Violation{where, fmt.Sprintf("%s has %d lines, %d are allowed without a %q comment",
				fn.Name.Name, lines, maxFuncLines, strings.TrimSpace(longMark))})
		}
		if n := fn.Type.Params.NumFields(); constructor(fn) && n > maxArguments {
			found = append(found, Violation{where, fmt.Sprintf("constructor %s takes %d arguments: take one struct", fn.Name.Name, n)})
		}
		if fn.Recv == nil && fn.Name.Name == "init" {
			found = append(found, Violation{where, "has an init function"})
		}
	}
	return found
}

// lines is how many lines a node covers.
func (t *Tree) lines(n ast.Node) int {
	return t.Fset.Position(n.End()).Line - t.Fset.Position(n.Pos()).Line + 1
}

// tables counts the lines inside the composite literals of a test: the rows of
// a table are data, and a long table is a good one.
func (t *Tree) tables(fn *ast.FuncDecl) int {
	rows := 0
	ast.Inspect(fn, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if ok && t.lines(literal) > 2 {
			rows += t.lines(literal) - 2
		}
		return !ok
	})
	return rows
}

// constructor tells a function that makes a value others hold on to.
func constructor(fn *ast.FuncDecl) bool {
	name := fn.Name.Name
	return fn.Recv == nil && (strings.HasPrefix(name, "New") || strings.HasPrefix(name, "Open"))
}

func saysWhyLong(fn *ast.FuncDecl) bool {
	if fn.Doc == nil {
		return false
	}
	return slices.ContainsFunc(fn.Doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, longMark) && len(c.Text) > len(longMark)
	})
}

// interfaces counts the methods an interface declares itself; what it embeds
// counts where it is declared, so that a composed store costs nothing.
func (t *Tree) interfaces(f *File) []Violation {
	if f.Test {
		return nil
	}
	limit := maxOtherMethods
	if path.Base(f.Path) == portFile {
		limit = maxPortMethods
	}
	var found []Violation
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		declared, ok := spec.Type.(*ast.InterfaceType)
		if !ok {
			return true
		}
		methods := 0
		for _, m := range declared.Methods.List {
			methods += len(m.Names)
		}
		if methods > limit {
			line := t.Fset.Position(spec.Pos()).Line
			found = append(found, Violation{at(f, line), fmt.Sprintf("interface %s declares %d methods, %d are allowed in %s",
				spec.Name.Name, methods, limit, path.Base(f.Path))})
		}
		return true
	})
	return found
}
