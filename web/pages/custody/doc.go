// Package custody is the console's pages about keys: which key serves for what,
// which one comes next, which should have been replaced, and the replacing of
// those that sign.
//
// It promises that a page opens only to an administrator who signed in with a
// second factor and may operate or keep keys, that only a key custodian replaces
// one, and that nothing is replaced without a question first.
//
// Neighbours: internal/keys lists and rotates, and records the rotation in its
// transaction; web/pages renders.
package custody
