// Package sms hands text messages to a gateway over HTTPS: one POST of one small JSON
// document for each message, under a credential, a signature, or both. It promises that
// nothing is sent in the clear or to another host, that a message has an id by which a
// gateway knows one that comes twice, and that no error names a number or a text.
//
// Neighbours: internal/notify/outbox decides when, cmd/app writes the text. It owns
// neither numbers nor words, and no gateway's own library.
package sms
