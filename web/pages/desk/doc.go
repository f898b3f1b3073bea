// Package desk is what the pages of people who are signed in have in common: the
// frame, who does something and from where, the line and the steps of a case, and
// the check that a form was made from what is stored now. It promises that each of
// these stands in one place.
//
// Neighbours: web/session knows who is there, web/pages how pages look. It owns no
// page, no path and no rule about who may do what.
package desk
