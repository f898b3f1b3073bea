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
	// Before continues a listing: only events older than this one's time, or
	// of that time and behind the id BeforeID when one is given.
	Before   time.Time
	BeforeID string
}

// Reader reads events.
type Reader interface {
	// Audits gives the events that the filter selects, newest first. Errors:
	// errs.Unavailable.
	Audits(ctx context.Context, f Filter) ([]Event, error)
}

// Store is the port of the room.
type Store interface {
	Appender
	Reader
	// AppendAudits adds a batch in one transaction, in order. Errors:
	// errs.Unavailable; then none was added.
	AppendAudits(ctx context.Context, events []Event) error
}

// Recorder takes the events of reads and introspections.
type Recorder interface {
	// Record returns once the event is durable. Errors: errs.Unavailable
	// when the queue is full or the store is down; then the caller must
	// refuse the act.
	Record(ctx context.Context, e Event) error
}

// Stamp is when an event happened and its id.
type Stamp struct {
	Time time.Time
	ID   string
}

// State says how much of an event the store still holds.
type State string

// The states.
const (
	// Whole events can be read in full.
	Whole State = "whole"
	// Erased events lost their body lawfully: retention or erasure took it and
	// left the commitment to it.
	Erased State = "erased"
	// Destroyed events have a body whose key was destroyed.
	Destroyed State = "destroyed"
	// Unreadable events have a body that does not open: it was changed.
	Unreadable State = "unreadable"
	// Garbled events have columns that no event writes.
	Garbled State = "garbled"
)

// Stored is an event as the store holds it.
type Stored struct {
	Event Event
	State State
	// Body is the commitment that was left of an erased body.
	Body Hash
}

// Ledger is the port by which events are sealed into the Merkle tree of their
// tenant. Errors of all methods: errs.Unavailable.
type Ledger interface {
	LedgerReader
	// ExtendLedger writes a growth in one transaction. It gives false, and
	// writes nothing, when the tree no longer has the size e.From: another
	// node sealed meanwhile.
	ExtendLedger(ctx context.Context, e Extension) (bool, error)
}

// LedgerReader is the part of the port by which the tree and its events are
// read, for verification and proofs. Errors of all methods: errs.Unavailable.
type LedgerReader interface {
	// AuditTenants lists the tenants that have events.
	AuditTenants(ctx context.Context) ([]string, error)
	// LedgerHead gives the state of a tree; the zero Head for none.
	LedgerHead(ctx context.Context, tenant string) (Head, error)
	// LedgerBatches gives the batches that begin at from ≤ Seq < to, in
	// sealing order.
	LedgerBatches(ctx context.Context, tenant string, from, to int64) ([]Batch, error)
	// LedgerBatchesAt gives the batches that may hold events with
	// from ≤ Time < to.
	LedgerBatchesAt(ctx context.Context, tenant string, from, to time.Time) ([]Batch, error)
	// LedgerNodes gives the kept hashes of a level with from ≤ N < to.
	LedgerNodes(ctx context.Context, tenant string, level int, from, to int64) ([]Node, error)
	// LedgerCheckpoints gives the checkpoints that were kept, oldest first.
	LedgerCheckpoints(ctx context.Context, tenant string) ([][]byte, error)
	// LedgerMinutes counts the leaves by the minute of their event, for the
	// minutes from ≤ m < to.
	LedgerMinutes(ctx context.Context, tenant string, from, to int64) (map[int64]int64, error)
	// AuditMinutes counts the events alike.
	AuditMinutes(ctx context.Context, tenant string, from, to int64) (map[int64]int64, error)
	// AuditStamps gives at most 4,096 events behind after, up to and with
	// until, in the order of time and id.
	AuditStamps(ctx context.Context, tenant string, after Stamp, until time.Time) ([]Stamp, error)
	// StoredAudits gives the events that have the ids, in no order; those that
	// are not there are left out.
	StoredAudits(ctx context.Context, tenant string, ids []string) ([]Stored, error)
}

// MaxStamps is how many events one call of Ledger.AuditStamps gives.
const MaxStamps = 4096
