// Package testbucket starts a real object store for tests: the Versity S3
// Gateway, which scripts/test-tools.sh installs into .tools. It promises a server
// of its own on loopback with an empty folder behind it, ended with the test.
package testbucket
