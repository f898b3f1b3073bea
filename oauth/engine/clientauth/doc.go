// Package clientauth says which client a request comes from and whether it
// proved so: none, client_secret_basic, client_secret_post or
// private_key_jwt (SMART §1.10, §1.11). It promises that a client which has a
// credential must use it, that one request uses one method, and that an
// assertion is only pointed out as used: whoever applies the request's writes
// must record its jti in the same transaction.
//
// Neighbours: oauth/grant and oauth/engine ask it before anything else. It
// owns the fetching and caching of clients' key sets; it stores nothing.
package clientauth
