package outbox

import (
	"context"
	"maps"
	"time"
)

// Notice is one message to one account.
type Notice struct {
	Tenant   string `json:"tenant"`
	ID       string `json:"id"`
	PersonID string `json:"person_id"`
	// Template names the text; Args fill it. Neither holds PHI. What only the
	// portal may tell stands under the keys of Inner.
	Template string            `json:"template"`
	Args     map[string]string `json:"args,omitempty"`
	Created  time.Time         `json:"created"`
	// Delivered is when it was handed on through Channel, zero before.
	Delivered time.Time `json:"delivered,omitzero"`
	Channel   string    `json:"channel,omitempty"`
	// Seen is when the person marked it as read in the portal.
	Seen time.Time `json:"seen,omitzero"`
}

// The arguments that never leave the portal.
const (
	// ArgCase is the id of a proxy's case, which only its parties may resolve.
	ArgCase = "case"
	// ArgCount and ArgSince tell how often somebody looked, and since when (RFC
	// 3339).
	ArgCount = "count"
	ArgSince = "since"
)

// ArgEnds is until when (RFC 3339) a notice may be delivered; without it for ever.
const ArgEnds = "ends"

// Over reports whether a notice has ended at t: nobody can use what it tells any more.
// An end that cannot be read has passed.
func (n Notice) Over(t time.Time) bool {
	text, bounded := n.Args[ArgEnds]
	if !bounded {
		return false
	}
	end, err := time.Parse(time.RFC3339, text)
	return err != nil || !t.Before(end)
}

// Outside gives the notice as channels may carry it.
func (n Notice) Outside() Notice {
	n.Args = maps.Clone(n.Args)
	for _, inner := range []string{ArgCase, ArgCount, ArgSince} {
		delete(n.Args, inner)
	}
	return n
}

// Inbox is the port of a person's own messages: the notices to one account.
type Inbox interface {
	// NoticesOf gives the newest notices to a person, newest first, at most limit.
	NoticesOf(ctx context.Context, tenant, person string, limit int) ([]Notice, error)
	// NoticesSeen marks the notices to a person as read that were made until a
	// time and are not marked yet.
	NoticesSeen(ctx context.Context, tenant, person string, until, t time.Time) error
}

// Store is the port of the package.
type Store interface {
	Inbox
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
