package password

import (
	"container/list"
	"context"
	"sync"

	"github.com/mandate-health/mandate/internal/errs"
)

// slots bounds how many hashes run at once. Who finds none free waits, in one of two
// lines: a flood of strangers never stands before people on devices they are known on.
type slots struct {
	mu   sync.Mutex
	free int
	// known and others hold who waits, each as a channel that is closed at its turn.
	known, others list.List
}

// enter waits for a slot, which leave gives back. Errors: errs.Unavailable when ctx
// ends before.
func (s *slots) enter(ctx context.Context, known bool) error {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return nil
	}
	line := &s.others
	if known {
		line = &s.known
	}
	turn := make(chan struct{})
	place := line.PushBack(turn)
	s.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	select {
	case <-turn:
		// Its turn came in the same moment.
		s.pass()
	default:
		line.Remove(place)
	}
	s.mu.Unlock()
	return errs.Wrap(ctx.Err(), errs.Unavailable, "password-queue", "Too many log-ins are being checked at this moment.")
}

func (s *slots) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pass()
}

// pass gives a slot to whoever is next. The lock is held.
func (s *slots) pass() {
	for _, line := range []*list.List{&s.known, &s.others} {
		if first := line.Front(); first != nil {
			if turn, ok := line.Remove(first).(chan struct{}); ok {
				close(turn)
				return
			}
		}
	}
	s.free++
}

// waiting gives how many wait.
func (s *slots) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known.Len() + s.others.Len()
}
