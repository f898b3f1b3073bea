// Package console is what the console's pages have in common: who is let in, and
// the frame around them.
//
// It promises that a page opens only to an administrator who signed in with a
// second factor and whom the page's own question lets through, and that others
// are turned away before they are asked for a second factor.
//
// Neighbours: web/pages/operator and web/pages/custody are behind its door,
// web/session knows who is signed in, web/pages renders.
package console
