// Package account serves the pages on which people see and change what is their
// own: what happened to their account, how they are reached, when they travel, and
// how pages look. It promises that whatever makes an account easier to take needs a
// fresh log-in, and that the look can be chosen before anybody signs in.
//
// Neighbours: web/pages draws; identity keeps; web/pages/factors and
// web/pages/devices serve the pages it links to.
package account
