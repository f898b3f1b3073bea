// Package problem is the one map from error kinds to wire errors, and their
// one writer. Its promise: every errs.Kind has exactly one row; what an error
// says about itself is its sentence and its cause code, never its cause; an
// error of unknown origin becomes a general 500 and is logged with its cause;
// every cause code is listed in causes.tsv, so that its link explains it.
//
// Neighbours: every handler of web writes its failures here. It owns no
// routing and no page template: pages hand in a renderer.
package problem
