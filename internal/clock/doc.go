// Package clock is the only place that reads the wall clock. Everything that
// has a time rule takes a Clock, so that tests and the development clock route
// can move it (D16), or a file that a test from outside writes. It owns no other
// scheduling.
package clock
