package app

import (
	"time"

	"github.com/mandate-health/mandate/internal/config"
)

// PushConfig is about pushed authorization requests (RFC 9126).
type PushConfig struct {
	// Life is how long a request_uri serves; zero takes flow.PushLife.
	Life time.Duration `name:"par-life" key:"life" default:"90s" help:"How long a pushed authorization request waits for its browser (default ${default})." placeholder:"TIME"`
	// Require refuses authorization requests that were not pushed.
	Require bool `name:"require-par" key:"require" help:"Refuse every authorization request that was not pushed (RFC 9126), of any client."`
}

// Bounds of PushConfig.Life: RFC 9126 §2.2 speaks of 5 to 600 seconds.
const (
	minPushLife = 5 * time.Second
	maxPushLife = 10 * time.Minute
)

// Validate reports every fault of the settings.
func (c *PushConfig) Validate() error {
	var f config.Faults
	if c.Life != 0 && c.Life < minPushLife || c.Life > maxPushLife {
		f.Add("life", "%s is not between %s and %s", c.Life, minPushLife, maxPushLife)
	}
	return f.Err()
}
