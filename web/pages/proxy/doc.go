// Package proxy serves the pages about people who help with a record: a patient
// invites, shares, changes and ends; an invited person accepts and makes an own
// account; a proxy sees whom they help.
//
// Neighbours: the use-cases are in access/lifecycle, the look of the pages in
// web/pages. Staff have their own pages in web/pages/staff.
package proxy
