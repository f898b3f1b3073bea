// Package tlsconf says how Mandate speaks TLS, as a server and as a client, in
// one place (SE-06…SE-11). It promises TLS 1.2 with forward secrecy and AEAD
// only, TLS 1.3 where the peer has it, key exchange safe against later quantum
// computers where Go and the peer have it, ticket keys that live at most a day,
// and certificates that are read again without a restart.
//
// The server reads certificates; pins.go computes and checks published key pins.
// It opens no listener and serves nothing; cmd/app does.
package tlsconf
