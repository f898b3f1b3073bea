package alert

import (
	"time"

	"github.com/mandate-health/mandate/audit"
)

// Snapshot is what the rules judge.
type Snapshot struct {
	Now time.Time
	// Seals is how sealing stands; empty on a node that does not seal.
	Seals []audit.SealStatus
	// Beats are the nodes; nil on a node that does not seal.
	Beats []Beat
	// Stream is how the syslog stream stands, nil where there is none.
	Stream *Stream
}

// Stream is how the syslog stream stands.
type Stream struct {
	Address string
	// Waiting events were not delivered since Since.
	Waiting int64
	Since   time.Time
	// Failure is the code of the last error, empty for none.
	Failure string
}

// Limits say when something is wrong. Zero values take the defaults.
type Limits struct {
	// Backlog is how long an event may stay unsealed or undelivered (1 minute).
	Backlog time.Duration
	// Silence is how long a node may say nothing (1 minute).
	Silence time.Duration
	// Skew is by how much a node's clock may differ from the database's or from
	// another node's (2 seconds).
	Skew time.Duration
}

func (l Limits) filled() Limits {
	for _, d := range []struct {
		at    *time.Duration
		usual time.Duration
	}{{&l.Backlog, time.Minute}, {&l.Silence, time.Minute}, {&l.Skew, 2 * time.Second}} {
		if *d.at <= 0 {
			*d.at = d.usual
		}
	}
	return l
}

// Alert is one thing that is wrong.
type Alert struct {
	// Rule is the name of the rule, the reason of the event.
	Rule string
	// Tenant is whose log is concerned; empty for the process.
	Tenant string
	// Subject tells alerts of one rule apart: a node, a stream.
	Subject string
	Serious bool
	Detail  map[string]string
}

func (a Alert) key() string { return a.Rule + "\x00" + a.Tenant + "\x00" + a.Subject }

// rule finds what is wrong in a snapshot.
type rule struct {
	name string
	find func(Snapshot, Limits) []Alert
}

// rules lists all.
func rules() []rule {
	return []rule{
		{"audit-rows-missing", missing},
		{"audit-backlog", backlog},
		{"audit-unreadable", unreadable},
		{"audit-backdated", backdated},
		{"node-silent", silent},
		{"clock-skew", skewed},
		{"audit-stream-stalled", stalled},
	}
}

// Find gives everything that is wrong.
func Find(s Snapshot, l Limits) []Alert {
	var out []Alert
	for _, r := range rules() {
		for _, a := range r.find(s, l.filled()) {
			a.Rule = r.name
			out = append(out, a)
		}
	}
	return out
}
