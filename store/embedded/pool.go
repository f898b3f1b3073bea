package embedded

import (
	"sync/atomic"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/store"
)

// waits counts who waits for a turn of the writer.
type waits struct {
	now, times, nanos atomic.Int64
}

// begin notes that somebody waits, and gives what notes the end.
func (w *waits) begin() (end func()) {
	w.now.Add(1)
	w.times.Add(1)
	began := clock.Ticks()
	return func() {
		w.nanos.Add(int64(clock.Ticks() - began))
		w.now.Add(-1)
	}
}

// Pool implements store.Pooled: the readers and the one writer. Every
// transaction waits for its turn, if only for a moment.
func (e *Engine) Pool() store.Pool {
	s := e.reader.db.Stats()
	out := store.Pool{Size: int64(s.MaxOpenConnections), Busy: int64(s.InUse), Waits: s.WaitCount, Waited: s.WaitDuration}
	if e.writer == nil {
		return out
	}
	w := &e.writer.waits
	out.Size++
	out.Busy += e.writer.turns.Load()
	out.Waiting = w.now.Load()
	out.Waits += w.times.Load()
	out.Waited += time.Duration(w.nanos.Load())
	return out
}
