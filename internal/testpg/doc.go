// Package testpg starts a private PostgreSQL for tests: real binaries, a
// folder of its own, fsync on, reached over a Unix socket. It ends with the
// test that started it, also when that is killed. A machine without PostgreSQL
// fails the test and says what to install. It creates no tables and knows no
// room.
package testpg
