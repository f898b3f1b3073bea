// Command bench measures a started Mandate from outside and, in the same run,
// its floor: a server that does only the signatures, verifications and commits
// of a workload, and no policy, audit or check of anything else. Its promise:
// the same bytes go to both over the same kind of connection, the results are
// ratios to the floor of the same sitting, and a run with relaxed durability is
// refused.
//
//	go run ./conformance/bench -h
//
// Neighbours: conformance/bench/measure counts; conformance/kit walks the pages
// of the set-up; internal/testpg gives the private PostgreSQL. It imports no
// room of Mandate: the server is the built binary. It is no test: nothing fails
// because a machine is slow.
package main
