// Package register serves dynamic registration of clients (RFC 7591), its
// management (RFC 7592) and the page that tells makers how to register.
//
// Neighbours: oauth/registration judges and stores; web/problem writes errors;
// web/protocol names the endpoint in discovery. It owns no rule.
package register
