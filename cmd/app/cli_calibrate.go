package app

import (
	"errors"
	"fmt"
	"time"

	"github.com/mandate-health/mandate/identity/factor/password"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
)

type passwordsCalibrate struct {
	Memory int           `default:"19" help:"Memory of one hash in MiB (default ${default})." placeholder:"MIB"`
	Target time.Duration `default:"250ms" help:"How long one hash may take (default ${default})." placeholder:"TIME"`
}

// calibrateLogIns is the rush of which the wait is told.
const calibrateLogIns = 500

// Run measures one more pass after the other until the time is reached, and prints the
// settings, the memory of all hashes at once and how long a rush waits.
func (c *passwordsCalibrate) Run(s *streams) error {
	passes, took := weakest(c.Memory), time.Duration(0)
	if passes == 0 || c.Memory > maxPasswordMemory {
		return fmt.Errorf("--memory is between 7 and %d MiB", maxPasswordMemory)
	}
	if c.Target <= 0 {
		return errors.New("--target is more than nothing")
	}
	for n := passes; n <= maxPasswordPasses; n++ {
		cfg := PasswordConfig{Memory: c.Memory, Passes: n}
		once, err := measured(s, cfg.hasher(ids.Source{}, nil))
		if err != nil {
			return err
		}
		if n > passes && once > c.Target {
			break
		}
		passes, took = n, once
	}
	atOnce := (&PasswordConfig{Memory: c.Memory, Passes: passes}).hasher(ids.Source{}, nil).Ceiling()
	fmt.Fprintf(s.out, "[passwords]\nmemory = %d\npasses = %d\n", c.Memory, passes)
	fmt.Fprintf(s.out, "one hash takes %s; %d run at once in %d MiB; the last of %d log-ins at once waits about %s\n",
		took.Round(time.Millisecond), atOnce, atOnce*c.Memory, calibrateLogIns, (took * calibrateLogIns / time.Duration(atOnce)).Round(100*time.Millisecond))
	if took > c.Target {
		fmt.Fprintf(s.out, "this is the least that is safe, and more than %s\n", c.Target)
	}
	return nil
}

// measured gives the shortest of three checks: the others were disturbed.
func measured(s *streams, h *password.Hasher) (best time.Duration, err error) {
	for range 3 {
		began := clock.System{}.Now()
		if _, err := h.Verify(s.ctx, nil, "a quiet morning walk", true); err != nil {
			return 0, err
		}
		if took := (clock.System{}).Now().Sub(began); best == 0 || took < best {
			best = took
		}
	}
	return best, nil
}
