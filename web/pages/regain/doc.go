// Package regain serves the way back into an account, the link that stops it, and
// the queue in which staff check and review. It promises that pages say the same of
// accounts that exist and of those that do not, and that the link of a message
// reveals nothing and stops only.
//
// Neighbours: identity.Service decides and stores; web/session keeps the cookie;
// web/pages draws. It owns no rule about what suffices.
package regain
