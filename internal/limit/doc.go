// Package limit bounds how often something may happen: token buckets that all
// nodes share and that outlive a restart.
//
// A bucket lives in the store, yet most requests must not cost a write. So each
// node lets a tenth of the rule through by itself, without asking, and takes
// what goes beyond from the store in shares of at most a quarter of a second.
// The bound: over any time the nodes together let through at most the rule plus
// a tenth of it per node, and at worst a quarter of a second's worth per node
// is taken and not used. When the store does not answer, each node applies the
// whole rule by itself. Counters that guard secrets (failed log-ins) need an
// exact count and are identity's own. It owns the port.
package limit
