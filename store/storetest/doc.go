// Package storetest is the acceptance suite of a storage engine: one section
// per port, then transactions, concurrency, time and housekeeping. An engine
// that passes it keeps the promises written at the ports. It knows no engine.
package storetest
