package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Module is the import path of the module whose shape is kept here.
const Module = "github.com/mandate-health/mandate"

// Tree is the parsed module: every package and every Go file in it, those
// excluded by build tags too.
type Tree struct {
	// Root is the absolute path of the module's folder.
	Root     string
	Fset     *token.FileSet
	Packages []*Package
}

// Package is one folder of Go files.
type Package struct {
	// Path is relative to the module: "oauth/flow".
	Path  string
	Name  string
	Files []*File
}

// File is one parsed Go file.
type File struct {
	// Path is relative to the module's root.
	Path string
	// Test tells a file ending in _test.go; External one of package foo_test.
	Test, External bool
	Lines          int
	Generated      bool
	Syntax         *ast.File
	Imports        []Import
}

// Import is one import of one file.
type Import struct {
	// Path is relative to the module for its own packages, else complete.
	Path string
	// Own tells an import of this module.
	Own  bool
	Line int
}

// Violation is one broken rule, in the form "file:line: what".
type Violation struct {
	Where string
	What  string
}

func (v Violation) String() string { return v.Where + ": " + v.What }

// listed is the part of go list's answer that is used.
type listed struct {
	ImportPath, Dir, Name              string
	GoFiles, TestGoFiles, XTestGoFiles []string
	IgnoredGoFiles                     []string
}

// Load asks the go command for the packages of the module at root and parses
// their files. It answers the go command's own words when that fails.
func Load(root string) (*Tree, error) {
	out, err := goList(root, "-e", "-json=ImportPath,Dir,Name,GoFiles,TestGoFiles,XTestGoFiles,IgnoredGoFiles", "./...")
	if err != nil {
		return nil, err
	}
	tree := &Tree{Root: root, Fset: token.NewFileSet()}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		err := dec.Decode(&l)
		if errors.Is(err, io.EOF) {
			return tree, nil
		}
		if err != nil {
			return nil, fmt.Errorf("arch: reading go list: %w", err)
		}
		p, err := tree.parse(l)
		if err != nil {
			return nil, err
		}
		tree.Packages = append(tree.Packages, p)
	}
}

// Linked lists the import paths that end up in the program at the package path
// given relative to the module, tests not counted.
func Linked(root, program string) ([]string, error) {
	out, err := goList(root, "-deps", "./"+program)
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(out)), nil
}

func goList(root string, args ...string) ([]byte, error) {
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("arch: go list: %w: %s", err, stderr.String())
	}
	return out, nil
}

func (t *Tree) parse(l listed) (*Package, error) {
	p := &Package{Path: own(l.ImportPath), Name: l.Name}
	names := slices.Concat(l.GoFiles, l.IgnoredGoFiles, l.TestGoFiles, l.XTestGoFiles)
	for _, name := range names {
		path := filepath.Join(l.Dir, name)
		syntax, err := parser.ParseFile(t.Fset, path, nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("arch: %w", err)
		}
		rel, err := filepath.Rel(t.Root, path)
		if err != nil {
			return nil, fmt.Errorf("arch: %w", err)
		}
		p.Files = append(p.Files, newFile(t.Fset, filepath.ToSlash(rel), syntax))
	}
	return p, nil
}

func newFile(fset *token.FileSet, path string, syntax *ast.File) *File {
	f := &File{
		Path:      path,
		Test:      strings.HasSuffix(path, "_test.go"),
		External:  strings.HasSuffix(syntax.Name.Name, "_test"),
		Lines:     fset.File(syntax.Pos()).LineCount(),
		Generated: ast.IsGenerated(syntax),
		Syntax:    syntax,
	}
	for _, spec := range syntax.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		f.Imports = append(f.Imports, Import{
			Path: own(path),
			Own:  path == Module || strings.HasPrefix(path, Module+"/"),
			Line: fset.Position(spec.Pos()).Line,
		})
	}
	return f
}

// own shortens an import path of this module to its folder.
func own(path string) string {
	if path == Module {
		return "."
	}
	return strings.TrimPrefix(path, Module+"/")
}

// at names a line of a file.
func at(f *File, line int) string { return fmt.Sprintf("%s:%d", f.Path, line) }

// Edges answers the imports between packages of the module that test files
// play no part in: from each package to those it imports, sorted.
func (t *Tree) Edges() map[string][]string {
	edges := map[string][]string{}
	for _, p := range t.Packages {
		edges[p.Path] = nil
		for _, f := range p.Files {
			for _, i := range f.Imports {
				if !f.Test && i.Own && !slices.Contains(edges[p.Path], i.Path) {
					edges[p.Path] = append(edges[p.Path], i.Path)
				}
			}
		}
		slices.Sort(edges[p.Path])
	}
	return edges
}
