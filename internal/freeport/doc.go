// Package freeport keeps loopback ports for servers that are told where to listen:
// the databases, nodes and proxies that tests and the self-test start. It knows no
// room.
package freeport
