package txn

import "context"

// Runner runs a function inside one transaction. T is a room's own store
// interface, so a use-case sees only the methods it asked for.
type Runner[T any] interface {
	// InTx commits when fn returns nil and rolls back otherwise. fn may be
	// called again after a serialization failure, so it must have no effect
	// outside the transaction. Errors: those of fn; errs.Unavailable when
	// the store cannot be reached.
	InTx(ctx context.Context, fn func(tx T) error) error
}

// Func adapts a function to Runner.
type Func[T any] func(ctx context.Context, fn func(tx T) error) error

// InTx calls the function.
func (f Func[T]) InTx(ctx context.Context, fn func(tx T) error) error { return f(ctx, fn) }
