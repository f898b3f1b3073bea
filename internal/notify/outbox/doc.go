// Package outbox keeps notices: what would be sent to whom, written in the
// transaction of its cause and delivered later. A notice holds no PHI. It owns
// the port; channels (SMTP, webhook) are siblings under internal/notify.
package outbox
