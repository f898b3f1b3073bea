// Package migrations holds the numbered SQL files of the store. One portable
// text serves both engines (D4): BIGINT microseconds in UTC for times (0 means
// none), BYTEA for exact bytes and sealed columns, the tenant in every primary
// key (D13).
//
// Each NNNN_name.up.sql has its NNNN_name.down.sql. Statements end with a
// semicolon at the end of a line. A released file is never changed. It owns no
// code: package store runs the files.
package migrations
