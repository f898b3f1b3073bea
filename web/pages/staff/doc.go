// Package staff serves the work of staff who care for patients: proof who
// somebody is, put in and verify a legal authority, find that a patient cannot
// decide, hold or end an access.
//
// Neighbours: the use-cases are in access/lifecycle, the look of the pages in
// web/pages.
package staff
