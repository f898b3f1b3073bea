// Package screens shows every page with canned data, in each language and
// state, for people who design, translate and check them. It promises that
// /dev/screens lists each page of web/pages and that the data never changes, so
// that pictures can be compared.
//
// Neighbours: web/pages renders. It is mounted in development only and owns no
// behaviour: its forms lead nowhere.
package screens
