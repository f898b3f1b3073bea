package chaos

import (
	"context"

	"golang.org/x/sys/unix"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testrun"
)

// Node is one process of the server, which keeps its address over restarts.
type Node struct{ testrun.Node }

// Start runs the process and gives a target once it answers. Errors: what the
// process wrote last.
func (n *Node) Start(ctx context.Context) (*kit.Target, error) {
	if err := n.Node.Start(); err != nil {
		return nil, err
	}
	r, err := kit.ReadReady(n.Ready())
	if err != nil {
		return nil, err
	}
	return kit.NewTarget(ctx, r)
}

// LimitFiles lets the process write no file beyond so many bytes, as a disk
// that is full; 0 ends it.
func (n *Node) LimitFiles(bytes uint64) error {
	limit := unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}
	if bytes == 0 {
		limit.Cur = unix.RLIM_INFINITY
	}
	return unix.Prlimit(n.PID(), unix.RLIMIT_FSIZE, &limit, nil)
}
