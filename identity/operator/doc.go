// Package operator owns which accounts run the server and in what capacity. It
// promises that nobody holds two of the roles that must check one another:
// database administrator, key custodian and auditor (SE-05); that every
// assignment, refusal and act is in the audit log; and that an act which needs
// a role is refused to everybody else as soon as roles are assigned.
//
// Neighbours: identity owns the accounts; cmd/app asks before a command acts. It
// does not own the log-in: who runs a command is named, and where the server's
// operating system says who that is, the account bound to that user acts and no
// other.
package operator
