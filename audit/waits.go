package audit

import (
	"sync/atomic"
	"time"
)

// WaitStep is how much each class of Waits takes in; the last one takes all that
// was longer.
const WaitStep = 5 * time.Microsecond

// waitClasses reach to five milliseconds.
const waitClasses = 1000

// waits counts events by how long their recorders waited for them to be durable.
type waits [waitClasses]atomic.Int64

func (w *waits) add(took time.Duration) {
	w[min(max(int(took/WaitStep), 0), waitClasses-1)].Add(1)
}

// Waits gives how many events became durable within each WaitStep after they were
// handed in: what an answer waits for beside its own work.
func (q *Queue) Waits() []int64 {
	out := make([]int64, waitClasses)
	for i := range q.waits {
		out[i] = q.waits[i].Load()
	}
	return out
}
