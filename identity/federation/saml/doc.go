// Package saml speaks SAML 2.0 to a configured identity provider, as a service
// provider of the Web Browser SSO profile (SAML Profiles §4.1): signed requests by the
// redirect binding, answers by the post binding. Its promise: only what a signature by
// a key of the provider's pinned metadata covers is read, and it counts for this
// server, for one request of ours, now and once.
//
// An answer comes as a post from another site, without the cookies of the browser. It
// is judged then, kept for some minutes, and counts when the browser comes for it by a
// GET of our own, with what it kept when it left.
//
// Neighbours: identity/federation shares what is the same for every protocol; the
// libraries make and sign the XML. It decides nothing about who somebody is here.
package saml
