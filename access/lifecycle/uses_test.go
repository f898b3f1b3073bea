package lifecycle

import (
	"context"
	"slices"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/proxy"
)

// overtaken is a store in which somebody else is always faster.
type overtaken struct {
	Tx
	after []int
}

func (o *overtaken) PutCase(_ context.Context, _ proxy.Case, after int) error {
	o.after = append(o.after, after)
	return errs.New(errs.PreconditionFailed, "version-changed", "The stored version is another one by now.")
}

// A note about a use never overwrites what ended the access meanwhile, however often
// the transaction is tried.
func TestANoteKeepsToTheVersionThatWasRead(t *testing.T) {
	tx := &overtaken{}
	s := &Service{Deps: Deps{Tx: txn.Func[Tx](func(_ context.Context, fn func(Tx) error) error {
		_ = fn(tx) // lost a race, and is tried again
		return fn(tx)
	})}}
	err := s.note(t.Context(), proxy.Case{ID: "c", Version: 3}, templateFirst, nil)
	if !errs.Is(err, errs.PreconditionFailed) || !slices.Equal(tx.after, []int{3, 3}) {
		t.Errorf("%v, after the versions %v", err, tx.after)
	}
}
