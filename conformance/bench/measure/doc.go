// Package measure drives requests at a server and reads what they cost: how
// many went through in the time, how long each took, and the processor time and
// memory of the process that answered. Its promise: nothing but the requests is
// inside the measured span, and a failed request is counted as such and never as
// a fast one.
//
// Neighbour: conformance/bench, which says what the requests are. It owns no
// workload, no server and no limit.
package measure
