// Package paper draws a copy of a record as PDF, with a watermark on every page
// by which it is traced to the person it was made for. It knows no record and no
// person: it draws the words it is given.
package paper
