package outbox

import (
	"context"
	"time"
)

// Notice is one message to one account.
type Notice struct {
	Tenant   string `json:"tenant"`
	ID       string `json:"id"`
	PersonID string `json:"person_id"`
	// Template names the text; Args fill it. Neither holds PHI.
	Template string            `json:"template"`
	Args     map[string]string `json:"args,omitempty"`
	Created  time.Time         `json:"created"`
}

// Store is the port of the package.
type Store interface {
	// AddNotice stores a notice in the transaction of its cause.
	AddNotice(ctx context.Context, n Notice) error
	// Notices gives the newest notices, newest first, at most limit.
	Notices(ctx context.Context, tenant string, limit int) ([]Notice, error)
}
