package clock

import (
	"sync/atomic"
	"time"
)

// Clock tells the time in UTC.
type Clock interface {
	Now() time.Time
}

// System is the machine's clock.
type System struct{}

// Now gives the current time in UTC.
func (System) Now() time.Time { return time.Now().UTC() }

// Fixed is a clock that stands still: for questions about a moment, and for tests.
type Fixed time.Time

// Now gives the fixed time in UTC.
func (f Fixed) Now() time.Time { return time.Time(f).UTC() }

// Movable is the machine's clock plus an offset that can be changed while
// the program runs. It is safe for concurrent use; its zero value has no
// offset.
type Movable struct {
	offset atomic.Int64
}

// Now gives the shifted time in UTC.
func (m *Movable) Now() time.Time {
	return time.Now().UTC().Add(time.Duration(m.offset.Load()))
}

// Advance moves the clock by d and gives the new time.
func (m *Movable) Advance(d time.Duration) time.Time {
	m.offset.Add(int64(d))
	return m.Now()
}

// Set moves the clock to t.
func (m *Movable) Set(t time.Time) {
	m.offset.Store(int64(time.Until(t)))
}

// SetOffset replaces the offset from the machine's clock.
func (m *Movable) SetOffset(d time.Duration) { m.offset.Store(int64(d)) }

// Ticks gives a count of time that never jumps, for measuring how long
// something took. Only the difference of two counts means something.
func Ticks() time.Duration { return time.Since(epoch) }

// epoch is where Ticks counts from.
var epoch = time.Now()
