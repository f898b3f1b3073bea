package oauth

// Confirmation names the key that the holder of a token must have (RFC 7800
// §3.1); zero for a bearer token. It is the claim cnf of an access token and the
// member cnf of an introspection.
type Confirmation struct {
	// JKT is the thumbprint of a DPoP key (RFC 9449 §6.1).
	JKT string `json:"jkt,omitempty"`
	// Certificate is that of a TLS client certificate (RFC 8705 §3.1).
	Certificate string `json:"x5t#S256,omitempty"`
}

// TokenType gives the value of token_type that goes with the key.
func (c Confirmation) TokenType() string {
	if c.JKT != "" {
		return "DPoP"
	}
	return "Bearer"
}

// Presentation is an access token as a request presents it.
type Presentation struct {
	// DPoP says that the token came under the scheme DPoP and not Bearer.
	DPoP  bool
	Token string
	// Proofs are the values of the DPoP header; Method and URLs what the request
	// is for, as clients see it.
	Proofs []string
	Method string
	URLs   []string
	// Certificate is the thumbprint of the TLS client certificate, "" for none.
	Certificate string
}
