// Package devkeys makes key pairs for demonstration clients, so that a
// newcomer has a client with registered keys at once. Clients in production
// make their own.
package devkeys
