// Package alert watches the audit log and the nodes that write it, and raises
// an event of kind audit.alert when something is wrong: rows missing, a
// backlog, a silent node, a wrong clock, a stalled stream. Each rule is a pure
// function in a file of its own; rules.go lists them.
//
// Neighbours: audit says how sealing stands, audit/export how the stream does;
// cmd/app fills the snapshot and telemetry reads Values. It owns the port of
// heartbeats.
package alert
