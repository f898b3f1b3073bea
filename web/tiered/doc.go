// Package tiered serves the way to another identity provider and back (UDAP
// tiered OAuth, UDP-32…35). Its promise: the state is judged before anything else
// of the answer, and whatever goes wrong is told to the app that asked.
//
// Neighbours: oauth/tiered talks to the provider; identity makes the session;
// oauth/flow knows the request; web/session keeps cookies. It owns no rule about
// who may sign in.
package tiered
