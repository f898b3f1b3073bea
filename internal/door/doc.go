// Package door is how commands on the server's machine act inside the running
// server, which has the store to itself: a Unix socket that nobody else on the
// machine may open, and no network listener. It promises that the server learns
// from the operating system who calls, where that tells; that a command's files
// are read and written by the caller, with the caller's rights, and only those
// that the caller named; and that a command ends when its caller goes away or
// the server stops.
//
// Neighbour: cmd/app, which has the commands. It knows none of them, asks for no
// role and records nothing.
package door
