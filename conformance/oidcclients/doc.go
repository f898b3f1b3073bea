// Package oidcclients drives general OAuth and OpenID clients, none of them code
// of ours, against a freshly started server with everything that they can check
// switched on: the npm packages openid-client and oauth4webapi, pinned by
// package-lock.json, for Go golang.org/x/oauth2 with go-oidc, and for Python
// Authlib as Debian packages it.
//
// Neighbours: conformance/kit is the person with the browser, conformance/fhirclient
// does the same with the SMART client. It owns the .mjs and .py files and no requirement.
package oidcclients
