package clock

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// followEvery is how often a followed file is read again (D16).
const followEvery = time.Second

// Follow sets the offset to the duration in a file, such as 90m, now and
// whenever the file changes, until ctx ends. A later reading that fails leaves
// the offset and is told to failed. Errors: those of the first reading, as a
// sentence for a person.
func (m *Movable) Follow(ctx context.Context, path string, failed func(error)) error {
	if err := m.read(path); err != nil {
		return err
	}
	go func() {
		tick := time.NewTicker(followEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := m.read(path); err != nil {
					failed(err)
				}
			}
		}
	}()
	return nil
}

func (m *Movable) read(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("the clock offset file %s cannot be read: %w", path, err)
	}
	d, err := time.ParseDuration(strings.TrimSpace(string(raw)))
	if err != nil {
		return fmt.Errorf("the clock offset file %s does not hold a duration such as 90m: %w", path, err)
	}
	m.SetOffset(d)
	return nil
}
