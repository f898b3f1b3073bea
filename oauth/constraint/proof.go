package constraint

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
	"unicode"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/errs"
)

// The limits of a proof.
const (
	maxProof = 8 << 10
	maxKey   = 4 << 10
	maxID    = 256
	maxNonce = 512
	// MaxAge is how long ago a proof may have been made, MaxSkew by how much the
	// clock of its maker may be ahead.
	MaxAge  = time.Minute
	MaxSkew = time.Minute
	// typ is the type of the JWT.
	typ = "dpop+jwt"
)

// algorithms are those that a proof may be signed with: no symmetric one, and
// none at all (RFC 9449 §4.2).
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.EdDSA, jose.PS256, jose.RS256}

// Algorithms gives their names, for discovery and challenges.
func Algorithms() []string {
	var out []string
	for _, a := range algorithms {
		out = append(out, string(a))
	}
	return out
}

// Use is the request that a proof must be for.
type Use struct {
	// Method is the HTTP method, URLs the addresses under which the client may
	// know what it asks, of which one must be meant. Query and fragment do not
	// count (RFC 9449 §4.3).
	Method string
	URLs   []string
	// AccessToken is the token that is presented; empty at the token endpoint.
	AccessToken string
	Now         time.Time
}

// Proof is one that passed. Its nonce and whether it was seen before are for the
// caller to judge.
type Proof struct {
	// Thumbprint is that of the key (RFC 7638, SHA-256, base64url).
	Thumbprint string
	ID         string
	Nonce      string
	// Until is the last moment at which it could pass again.
	Until time.Time
}

// claims are those of a proof. Pointers tell what is missing.
type claims struct {
	ID     string          `json:"jti"`
	Method string          `json:"htm"`
	URL    string          `json:"htu"`
	Issued json.RawMessage `json:"iat"`
	Hash   *string         `json:"ath"`
	Nonce  string          `json:"nonce"`
}

// Check judges the values of the DPoP header of a request. No value at all is
// an error too. Errors: errs.InvalidDPoPProof.
func Check(header []string, use Use) (Proof, error) {
	if len(header) == 0 {
		return Proof{}, errs.New(errs.InvalidDPoPProof, "dpop-proof-missing", "A DPoP proof is needed, in the DPoP header.")
	}
	if len(header) > 1 || strings.Contains(header[0], ",") {
		return Proof{}, errs.New(errs.InvalidDPoPProof, "dpop-proof-repeated", "There must be one DPoP header with one proof.")
	}
	payload, thumbprint, err := verify(header[0])
	if err != nil {
		return Proof{}, err
	}
	var c claims
	if json.Unmarshal(payload, &c) != nil {
		return Proof{}, refused("dpop-proof-claims", "its claims cannot be read")
	}
	issued, ok := seconds(c.Issued)
	if !ok {
		return Proof{}, refused("dpop-proof-iat", "iat is missing or no number of seconds")
	}
	if err := c.fit(use, issued); err != nil {
		return Proof{}, err
	}
	return Proof{Thumbprint: thumbprint, ID: c.ID, Nonce: c.Nonce, Until: issued.Add(MaxAge)}, nil
}

// fit judges the claims of a proof that its key has signed.
func (c claims) fit(use Use, issued time.Time) error {
	switch {
	case c.ID == "" || len(c.ID) > maxID || strings.ContainsFunc(c.ID, unicode.IsControl):
		return refused("dpop-proof-jti", "jti must have 1 to 256 characters, none of them a control character")
	case len(c.Nonce) > maxNonce:
		return refused("dpop-proof-claims", "its nonce is too long")
	case c.Method != use.Method:
		return refused("dpop-proof-htm", "htm is not the method of this request")
	case !meant(c.URL, use.URLs):
		return refused("dpop-proof-htu", "htu is not the address of this request")
	case issued.After(use.Now.Add(MaxSkew)):
		return refused("dpop-proof-early", "iat is in the future")
	case use.Now.After(issued.Add(MaxAge)):
		return refused("dpop-proof-old", "iat is more than a minute ago")
	case use.AccessToken != "" && (c.Hash == nil || *c.Hash != Hash(use.AccessToken)):
		return refused("dpop-proof-ath", "ath is not the hash of the access token")
	}
	return nil
}

// Hash gives the value of ath for an access token.
func Hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// verify checks form and signature and gives the claims with the thumbprint of
// the key that stands in the header.
func verify(raw string) (payload []byte, thumbprint string, err error) {
	if len(raw) > maxProof {
		return nil, "", refused("dpop-proof-malformed", "it is too long")
	}
	h, err := readHeader(raw)
	if err != nil {
		return nil, "", err
	}
	key, err := readKey(h.Key)
	if err != nil {
		return nil, "", err
	}
	if !fits(key.Key, jose.SignatureAlgorithm(h.Algorithm)) {
		return nil, "", refused("dpop-proof-key", "its key does not fit its algorithm")
	}
	signed, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil {
		return nil, "", refused("dpop-proof-malformed", "it is not a signed JWT")
	}
	if payload, err = signed.Verify(key.Key); err != nil {
		return nil, "", refused("dpop-proof-signature", "its signature does not match")
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, "", refused("dpop-proof-key", "its key has no thumbprint")
	}
	return payload, base64.RawURLEncoding.EncodeToString(sum), nil
}

// header is that of the JWT, read before anything of it is believed.
type header struct {
	Type      string          `json:"typ"`
	Algorithm string          `json:"alg"`
	Key       json.RawMessage `json:"jwk"`
	Critical  json.RawMessage `json:"crit"`
}

func readHeader(raw string) (h header, err error) {
	first, _, found := strings.Cut(raw, ".")
	text, decoded := base64.RawURLEncoding.DecodeString(first)
	if !found || strings.Count(raw, ".") != 2 || decoded != nil || json.Unmarshal(text, &h) != nil {
		return h, refused("dpop-proof-malformed", "it is not a signed JWT")
	}
	switch {
	case h.Type != typ:
		return h, refused("dpop-proof-typ", "the typ of its header must be "+typ)
	case !allowed(h.Algorithm):
		return h, refused("dpop-proof-alg", "its algorithm is not one of "+strings.Join(Algorithms(), ", "))
	case len(h.Critical) > 0:
		return h, refused("dpop-proof-malformed", "its header names critical extensions")
	case len(h.Key) == 0:
		return h, refused("dpop-proof-key", "its header has no jwk")
	}
	return h, nil
}

func allowed(alg string) bool {
	for _, a := range algorithms {
		if alg == string(a) {
			return true
		}
	}
	return false
}

// seconds reads a NumericDate.
func seconds(raw json.RawMessage) (time.Time, bool) {
	var n float64
	if len(raw) == 0 || json.Unmarshal(raw, &n) != nil || n <= 0 || n > 1e11 {
		return time.Time{}, false
	}
	return time.UnixMicro(int64(n * 1e6)).UTC(), true
}

func refused(code, why string) error {
	return errs.New(errs.InvalidDPoPProof, code, "The DPoP proof is refused: "+why+".")
}
