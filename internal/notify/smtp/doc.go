// Package smtp is the channel that hands notices to people by e-mail through a
// submission server (RFC 6409), under TLS always (RFC 8314).
//
// Its promise: a message says that something changed and where to sign in to
// see it, in plain text, and nothing of what changed, of whom or by whom; its
// Message-ID is that of the notice, so that a message sent twice is known as
// one. Who has which address, and the words, are given to it. It keeps
// nothing.
package smtp
