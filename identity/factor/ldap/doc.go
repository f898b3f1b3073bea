// Package ldap checks passwords at an LDAP directory: it looks for the one entry of
// a username as a service account, and binds as that entry. It promises that nothing
// is sent before a certificate is verified, that no empty password reaches a
// directory, that a name cannot change a filter, that neither referrals nor aliases
// are followed, that time, connections and the size of answers are bounded, and that
// no name or password is in an error or a log.
//
// Neighbours: identity.Service asks it, and owns accounts, brakes and audit. It makes
// no accounts and gives no roles.
package ldap
