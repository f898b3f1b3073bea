// Package constraint judges proofs that a token is used by the one it was given
// to: DPoP proofs (RFC 9449) and TLS client certificates (RFC 8705). It promises that a proof which passes was signed
// for this very method, address and token by the key whose thumbprint it gives,
// not long ago, with an algorithm that is pinned here; and that it reads no
// store, no clock and no key of ours.
//
// Neighbours: oauth/grant asks it at the token endpoint, oauth/engine for a
// token that is presented. Whether a proof was seen before is not decided here
// but for Seen, the memory of one node: the token endpoint keeps what it saw in
// the store.
package constraint
