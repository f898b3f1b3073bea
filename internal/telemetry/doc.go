// Package telemetry is what an operator sees of a running server: log lines,
// metrics and traces. It promises that none of them shows a secret or health
// data: every key of the log has a class, and what has none is not printed
// (NewLogger); labels of metrics and names of spans come from fixed lists
// (Metrics, Tracer).
//
// It measures and prints; what is worth measuring, its callers decide. The
// audit log, which holds who did what, is the room audit.
package telemetry
