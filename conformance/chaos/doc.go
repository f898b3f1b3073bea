// Package chaos breaks what a server stands on while apps use it, and judges
// what they were told. It starts the binary and a PostgreSQL of its own on
// loopback, kills, delays, cuts and fills them, and remembers every answer.
//
// Its promise is the judgement afterwards: no code, refresh token or assertion
// was honoured twice, each token that was given has its audit event, what was
// revoked stays so, what was confirmed is still there, the service came back
// without a hand, and meanwhile apps saw specified errors only.
//
// Neighbours: conformance/kit walks the launches, internal/testpg gives
// PostgreSQL. It imports no room. Its tests run a short form; make chaos runs
// the long one.
package chaos
