// Package selfsigned makes a certificate authority of its own and a server
// certificate under it, for development and tests over HTTPS. Nobody trusts it
// but those who are given its file.
package selfsigned
