// Package udap trusts clients by their certificate (HL7 FAST Security, UDAP-*).
// Its promise: who registers by a software statement, or proves itself by an
// assertion with x5c, holds a certificate that leads to an anchor of one trust
// community, names the client in a SAN URI and is not revoked; where that cannot
// be known, the answer is no. A client whose certificate is revoked loses its
// live tokens within the refresh time of the revocation lists.
//
// Neighbours: the record of a client is oauth.UDAP, in the one registry of all
// clients; oauth/engine/clientauth asks for the keys of an assertion, and
// web/protocol serves the endpoints. It fetches nothing itself: lists come
// through a port. It owns no grant type and no HTTP.
package udap
