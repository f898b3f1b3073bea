package audit

import (
	"context"
	"time"
)

// Appender writes events inside the transaction of their cause.
type Appender interface {
	// AppendAudit adds one event. Errors: errs.Unavailable.
	AppendAudit(ctx context.Context, e Event) error
}

// Filter selects events. Empty fields do not restrict.
type Filter struct {
	Tenant   string
	Patient  string
	PersonID string
	ClientID string
	GrantID  string
	Kinds    []Kind
	// Since and Until bound Event.Time, both included.
	Since time.Time
	Until time.Time
	// Limit is the greatest number of events given, newest first; 0 means 100.
	Limit int
	// Before continues a listing: only events older than this one's time.
	Before time.Time
}

// Store is the port of the room.
type Store interface {
	Appender
	// AppendAudits adds a batch in one transaction, in order. Errors:
	// errs.Unavailable; then none was added.
	AppendAudits(ctx context.Context, events []Event) error
	// Audits gives the events that the filter selects, newest first.
	Audits(ctx context.Context, f Filter) ([]Event, error)
}

// Recorder takes the events of reads and introspections.
type Recorder interface {
	// Record returns once the event is durable. Errors: errs.Unavailable
	// when the queue is full or the store is down; then the caller must
	// refuse the act.
	Record(ctx context.Context, e Event) error
}
