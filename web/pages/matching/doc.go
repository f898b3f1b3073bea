// Package matching is the console's pages about people who signed in at another
// identity provider and of whom no rule was sure who they are here.
//
// It promises that a page opens only to an administrator who signed in with a
// second factor and may operate, that nobody decides about themself, and that each
// case is decided once.
//
// Neighbours: identity keeps the cases, links and records; web/pages renders.
package matching
