// Package callers finds out who is on the telephone. A caller reads a code from a
// page behind their own log-in; staff type it with the caller's user name and the
// name of the patient. It promises that nothing about any record is told before all
// three fit, that a caller who does not exist, one who is shut out, one who is no
// proxy and a wrong code are one answer, that a code works once, and that each try
// is in the audit log with what was really found.
//
// Neighbours: oauth/authority says who has access now, by the rules that decide
// about tokens; identity owns accounts and counts failures.
package callers
