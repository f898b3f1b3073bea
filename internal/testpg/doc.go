// Package testpg starts a private PostgreSQL for tests: real binaries, a
// folder of its own, fsync on, reached over a Unix socket or, with a password,
// over loopback; with a streaming replica to promote and a transaction pooler
// where a test asks for them. All ends with the test that started it, also when
// that is killed. A machine without the programs fails the test and says what
// to install. It creates no tables and knows no room.
package testpg
