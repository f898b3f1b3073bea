package oauth

// tooth is one requirement of a registration that may be tightened by anybody
// who may change it, and loosened by an operator's explicit act only.
type tooth struct {
	member string
	// asks reports whether a registration has the requirement.
	asks func(c Client) bool
	// keep copies it from the stricter registration.
	keep func(to *Client, from Client)
}

// ratchet gives the requirements of the security level of a client, the
// weakest first: bearer tokens, pushed requests, signed ones, tokens bound to a
// key or a certificate, a profile with all of it. One way to bind tokens may take
// the place of the other.
func ratchet() []tooth {
	return []tooth{
		{"require_pushed_authorization_requests", func(c Client) bool { return c.RequirePushed }, func(to *Client, from Client) { to.RequirePushed = from.RequirePushed }},
		{"require_signed_request_object", func(c Client) bool { return c.RequireSigned }, func(to *Client, from Client) { to.RequireSigned = from.RequireSigned }},
		{"token_endpoint_auth_signing_alg", func(c Client) bool { return c.AuthAlg != "" }, func(to *Client, from Client) { to.AuthAlg = from.AuthAlg }},
		{"request_object_signing_alg", func(c Client) bool { return c.RequestObjectAlg != "" }, func(to *Client, from Client) { to.RequestObjectAlg = from.RequestObjectAlg }},
		{"dpop_bound_access_tokens or tls_client_certificate_bound_access_tokens", Client.Constrained, func(to *Client, from Client) {
			to.DPoPBound, to.CertificateBound = from.DPoPBound, from.CertificateBound
		}},
		{"dpop_nonce_required", func(c Client) bool { return c.DPoPNonce }, func(to *Client, from Client) { to.DPoPNonce = from.DPoPNonce }},
		{"security_profile", func(c Client) bool { return c.SecurityProfile != "" }, func(to *Client, from Client) { to.SecurityProfile = from.SecurityProfile }},
	}
}

// Loosens names the members by which next asks less of the client than it is
// asked now.
func (c Client) Loosens(next Client) []string {
	var out []string
	for _, t := range ratchet() {
		if t.asks(c) && !t.asks(next) {
			out = append(out, t.member)
		}
	}
	return out
}

// Hold puts into next what it would take away.
func (c Client) Hold(next *Client) {
	for _, t := range ratchet() {
		if t.asks(c) && !t.asks(*next) {
			t.keep(next, c)
		}
	}
	next.AdoptProfile()
}
