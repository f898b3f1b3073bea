package audit

import (
	"context"
	"crypto/sha256"

	"github.com/mandate-health/mandate/internal/ids"
)

// secrets derives every secret from its name.
type secrets struct{}

func (secrets) Secret(_ context.Context, tenant, name string, _ func() []byte) ([]byte, error) {
	h := sha256.Sum256([]byte(tenant + "/" + name))
	return h[:], nil
}

func noIDs() ids.Source { return ids.Source{} }
