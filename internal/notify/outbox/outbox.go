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
	// Delivered is when it was handed on through Channel, zero before.
	Delivered time.Time `json:"delivered,omitzero"`
	Channel   string    `json:"channel,omitempty"`
}

// Store is the port of the package.
type Store interface {
	// AddNotice stores a notice in the transaction of its cause, together
	// with the job of delivering it.
	AddNotice(ctx context.Context, n Notice) error
	// Notices gives the newest notices, newest first, at most limit.
	Notices(ctx context.Context, tenant string, limit int) ([]Notice, error)
	// NoticeByID gives one. Errors: errs.NotFound.
	NoticeByID(ctx context.Context, tenant, id string) (Notice, error)
	// NoticeDelivered notes when and how a notice was handed on.
	NoticeDelivered(ctx context.Context, tenant, id, channel string, t time.Time) error
}
