// Package udap serves the metadata of UDAP and takes software statements
// (HL7 FAST Security, UDP-01, UDP-10, UDP-15).
//
// Neighbours: oauth/udap judges and stores; web/problem writes errors. It owns no
// rule.
package udap
