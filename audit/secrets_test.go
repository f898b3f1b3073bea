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

func (s secrets) LogKeys(ctx context.Context, tenant string) ([]LogKey, error) {
	g, err := newGeneration(ctx, s, ids.Source{}, tenant, 1)
	return []LogKey{g.LogKey}, err
}

func (secrets) AddLogKey(context.Context, string, LogKey) (bool, error) { return true, nil }
func (secrets) LogEnd(context.Context, string) (*LogEnd, error)         { return nil, nil }
func (secrets) PutLogEnd(context.Context, string, LogEnd) error         { return nil }
