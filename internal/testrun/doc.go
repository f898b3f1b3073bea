// Package testrun builds the program for tests and runs it as a process: started,
// waited for, told to end or killed, and ended in any case when the test process
// ends, however that ends. It knows the command line and the ready file of
// `mandate dev` and no room.
//
// Neighbours: the black-box suites in conformance read the ready file and talk
// HTTP; internal/testpg gives them a PostgreSQL.
package testrun
