// Package shelf keeps what was fetched from addresses that others chose, within
// bounds of entries and bytes.
//
// Who may name addresses may name many. So an address that never gave anything
// can push out only another such one, and never what is in use; of what is in
// use, that which was asked for the longest ago goes first. What is pushed out is
// fetched again when somebody asks for it.
package shelf
