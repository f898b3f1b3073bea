// Package tiered lets people of a UDAP trust community log in where their account
// is (UDAP tiered OAuth, UDP-32…35). Its promise: a browser is sent only to an
// identity provider that an operator lets log people in here and whose signed
// metadata lead to the community's anchor; what comes back is believed only with
// the state and nonce made for this one attempt, and a complete, valid id_token.
//
// Neighbours: oauth/udap trusts certificates; identity finds the person and makes
// the session; oauth/flow goes on with the request, and always asks for consent
// here; web/tiered serves the two addresses. It stores nothing: what an attempt
// needs travels sealed in its state.
package tiered
