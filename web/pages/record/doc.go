// Package record serves "My record": what a patient keeps from everybody who
// helps, and copies on paper or as a file, for patients and for those who help
// them. A copy is fetched by a ticket that works once, within a minute, in the
// session that asked for it.
//
// Neighbours: what may be shown and kept is decided in access/lifecycle; the PDF
// is drawn by its paper.
package record
