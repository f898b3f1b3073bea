package arch

import (
	"go/ast"
	"go/token"
	"strings"
)

// CheckRetries finds functions given to a transaction that go on from what an earlier
// try of theirs left: "n++", "x = append(x, …)" or "c.Version = c.Version + 1" of a
// variable from outside. A transaction that loses a race is tried again, and the second
// try would count on from the first. The function may begin by setting the variable.
func (t *Tree) CheckRetries() []Violation {
	var found []Violation
	for _, p := range t.Packages {
		for _, f := range p.Files {
			// The acceptance suite counts the tries themselves.
			if f.Test || p.Path == "store/storetest" {
				continue
			}
			ast.Inspect(f.Syntax, func(n ast.Node) bool {
				for _, fn := range transacted(n) {
					for _, s := range carried(fn) {
						found = append(found, Violation{at(f, t.Fset.Position(s.Pos()).Line),
							"goes on from an earlier try of its transaction: set it anew at the beginning, or change it outside"})
					}
				}
				return true
			})
		}
	}
	return found
}

// transacted gives the functions that a call runs inside a transaction.
func transacted(n ast.Node) (out []*ast.FuncLit) {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return nil
	}
	name, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !strings.EqualFold(name.Sel.Name, "intx") {
		return nil
	}
	for _, a := range call.Args {
		if fn, ok := a.(*ast.FuncLit); ok {
			out = append(out, fn)
		}
	}
	return out
}

// carried gives the statements that change a variable from outside by its own value.
func carried(fn *ast.FuncLit) (out []ast.Stmt) {
	own := declared(fn)
	fresh := map[string]bool{}
	foreign := func(e ast.Expr) string {
		if id := rootOf(e); id != nil && id.Name != "_" && !own[id.Name] && !fresh[id.Name] {
			return id.Name
		}
		return ""
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch s := n.(type) {
		case *ast.IncDecStmt:
			if foreign(s.X) != "" {
				out = append(out, s)
			}
		case *ast.AssignStmt:
			for i, left := range s.Lhs {
				name := foreign(left)
				if name == "" || s.Tok == token.DEFINE {
					continue
				}
				right := s.Rhs[min(i, len(s.Rhs)-1)]
				_, whole := left.(*ast.Ident)
				switch {
				case s.Tok != token.ASSIGN || mentions(right, left):
					out = append(out, s)
				case whole:
					fresh[name] = true
				}
			}
		}
		return true
	})
	return out
}

// declared gives the names that a function declares, parameters and results included.
func declared(fn *ast.FuncLit) map[string]bool {
	out := map[string]bool{}
	ast.Inspect(fn, func(n ast.Node) bool {
		switch d := n.(type) {
		case *ast.Field:
			for _, name := range d.Names {
				out[name.Name] = true
			}
		case *ast.ValueSpec:
			for _, name := range d.Names {
				out[name.Name] = true
			}
		case *ast.AssignStmt:
			if d.Tok == token.DEFINE {
				for _, e := range d.Lhs {
					if id, ok := e.(*ast.Ident); ok {
						out[id.Name] = true
					}
				}
			}
		case *ast.RangeStmt:
			for _, e := range []ast.Expr{d.Key, d.Value} {
				if id, ok := e.(*ast.Ident); ok && d.Tok == token.DEFINE {
					out[id.Name] = true
				}
			}
		}
		return true
	})
	return out
}

// rootOf gives the variable of which an expression is a part.
func rootOf(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// mentions reports whether an expression holds another one, by the way it is written.
func mentions(in, what ast.Expr) bool {
	text, found := written(what), false
	var look func(n ast.Node) bool
	look = func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		found = found || ok && written(e) == text
		if of, field := n.(*ast.SelectorExpr); field {
			// The name of a field is no variable.
			ast.Inspect(of.X, look)
			return false
		}
		return !found
	}
	ast.Inspect(in, look)
	return found
}

// written gives a variable or a field of it as text, "" for other expressions.
func written(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		if of := written(x.X); of != "" {
			return of + "." + x.Sel.Name
		}
	}
	return "-"
}
