// Package apidoc makes the OpenAPI 3.1 document of the JSON APIs from their
// routes: what a handler reads and gives is declared once, as types, and the
// document is made of nothing else.
//
// It promises that each described route is in the document with its parameters,
// body, answer, status, scope and guard, and that a type whose JSON it cannot
// know is an error instead of a guess.
//
// Neighbours: the packages beside it declare operations (web/route); cmd/app
// serves the document and "mandate routes --openapi" prints it.
package apidoc
