// Package app is the composition root: the one place that knows engines, key
// providers, channels and every room, and joins them into a running server.
// The command line and the end-to-end tests start the same App.
//
// It owns no rule: what it decides is only which part is handed to which.
package app
