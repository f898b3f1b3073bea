// Package openid is the relying party's half of OpenID Connect: discovery, the
// request, the redeeming of a code and the judgement of id_tokens and logout tokens.
// Its promise: an answer is believed only with the state and nonce made for this one
// attempt of this one browser, from the issuer that the operator pinned, and with a
// complete, valid token of that issuer.
//
// Neighbours: identity/federation says who somebody is here; oauth/tiered joins the
// judgement with UDAP's certificates; web/federation serves the addresses. It stores
// nothing: what an attempt needs travels sealed in its state.
package openid
