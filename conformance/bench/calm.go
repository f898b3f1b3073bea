package main

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/conformance/bench/measure"
)

// calm waits until the measured server does nothing any more, such as sealing the
// events of the workload before, so that this is not counted as the next one's.
func (r *rig) calm(ctx context.Context) error {
	const look, most = 2500 * time.Millisecond, 40 * time.Second
	for waited := time.Duration(0); r.drain > 0 && waited < most; waited += look {
		before, err := measure.CPU(r.mandate.pid)
		if err == nil {
			err = pause(ctx, look)
		}
		if err != nil {
			return err
		}
		after, err := measure.CPU(r.mandate.pid)
		if err != nil || after-before < look/50 {
			return err
		}
	}
	return nil
}
