package arch

import (
	"go/ast"
	"go/parser"
	"strings"
	"testing"
)

// A transaction may be tried twice.
func TestTransactionsBeginAnew(t *testing.T) { report(t, tree(t).CheckRetries()) }

func TestCarriedOver(t *testing.T) {
	for body, bad := range map[string]bool{
		`c.Version++`:                        true,
		`n += 2`:                             true,
		`out = append(out, 1)`:               true,
		`e.n, e.done = e.n+k, true`:          true,
		`out = nil; out = append(out, 1)`:    false,
		`next = c; next.N++`:                 false,
		`x := c; x.N++`:                      false,
		`for i := range all { i++ }`:         false,
		`var n int; n++; out = n`:            false,
		`ok, err = true, nil`:                false,
		`out.N = before.N + 1`:               false,
		`a := 1; a = a + 1; b = a`:           false,
		`return do(func() { seen[k] += 1 })`: true,
	} {
		e, err := parser.ParseExpr("s.InTx(ctx, func(tx Tx) error {" + body + "})")
		if err != nil {
			t.Fatal(err)
		}
		var found []ast.Stmt
		for _, fn := range transacted(e) {
			found = append(found, carried(fn)...)
		}
		if (len(found) > 0) != bad {
			t.Errorf("%s: %d found", strings.TrimSpace(body), len(found))
		}
	}
}
