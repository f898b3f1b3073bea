package clientauth

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// The limits of a request object.
const (
	maxObject     = 24 << 10
	maxObjectLife = time.Hour
)

// claimsOfJWT are the claims that say something about the JWT itself. aud is
// one and the name of a SMART parameter too.
var claimsOfJWT = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

// RequestObject verifies an authorization request that a client signed (RFC
// 9101), whose audience must name the issuer, and gives its parameters. The
// SMART parameter aud is a further audience. Errors: errs.InvalidRequestObject;
// errs.Unavailable.
func (a *Authenticator) RequestObject(ctx context.Context, c oauth.Client, raw, issuer string) (url.Values, error) {
	token, header, err := parseObject(raw, c)
	if err != nil {
		return nil, err
	}
	key, err := a.key(ctx, c, header)
	if err != nil {
		if errs.Is(err, errs.InvalidClient) {
			err = errs.Wrap(err, errs.InvalidRequestObject, "request-object-key",
				"The request object is refused: the client has not registered a key of its kid and type, or its key set cannot be fetched.")
		}
		return nil, err
	}
	var std claims
	members := map[string]any{}
	if err := token.Claims(key, &std, &members); err != nil {
		return nil, errObject("request-object-signature", "its signature does not match, or its claims cannot be read")
	}
	if err := std.checkObject(c.ID, issuer, a.Clock.Now()); err != nil {
		return nil, err
	}
	return parameters(members, std, issuer)
}

// parseObject reads the JWT and its header. Nothing unsigned or encrypted is
// read, and only the algorithm that the client is registered for.
func parseObject(raw string, c oauth.Client) (*jwt.JSONWebToken, jose.Header, error) {
	if len(raw) > maxObject {
		return nil, jose.Header{}, errObject("request-object-malformed", "it is too long")
	}
	var allowed []jose.SignatureAlgorithm
	for _, alg := range c.ObjectAlgorithms() {
		allowed = append(allowed, jose.SignatureAlgorithm(alg))
	}
	token, err := jwt.ParseSigned(raw, allowed)
	if err != nil || len(token.Headers) != 1 {
		return nil, jose.Header{}, errObject("request-object-malformed", "it is not a JWT signed with an algorithm that this client may use")
	}
	header := token.Headers[0]
	if header.KeyID == "" {
		return nil, jose.Header{}, errObject("request-object-kid", "its header has no kid")
	}
	if typ, told := header.ExtraHeaders[jose.HeaderType]; told && !isJWT(typ) && !isObject(typ) {
		return nil, jose.Header{}, errObject("request-object-typ", "the typ of its header is not oauth-authz-req+jwt")
	}
	return token, header, nil
}

func isObject(typ any) bool {
	text, _ := typ.(string)
	return strings.TrimPrefix(strings.ToLower(text), "application/") == "oauth-authz-req+jwt"
}

// checkObject judges the claims of the JWT itself.
func (c claims) checkObject(clientID, issuer string, now time.Time) error {
	switch {
	case c.Issuer != clientID:
		return errObject("request-object-issuer", "iss must be the client_id")
	case c.Subject == clientID:
		// Such a JWT could serve as a client assertion (RFC 9101 §10.8).
		return errObject("request-object-subject", "sub must not be the client_id")
	case !slices.Contains(c.Audience, issuer):
		return errObject("request-object-audience", "aud must name the issuer of this server")
	case c.Expiry == nil || c.Expiry.Time().After(now.Add(maxObjectLife+maxSkew)):
		return errObject("request-object-expiry", "exp is missing or more than an hour ahead")
	case !now.Before(c.Expiry.Time()):
		return errObject("request-object-expired", "it has expired")
	case c.NotBefore != nil && c.NotBefore.Time().After(now.Add(maxSkew)), c.IssuedAt != nil && c.IssuedAt.Time().After(now.Add(maxSkew)):
		return errObject("request-object-early", "nbf or iat is in the future")
	}
	return nil
}

// parameters turns claims into request parameters.
func parameters(members map[string]any, std claims, issuer string) (url.Values, error) {
	out := url.Values{}
	for name, value := range members {
		if slices.Contains(claimsOfJWT, name) {
			continue
		}
		if name == "request" || name == "request_uri" {
			return nil, errObject("request-object-nested", "it holds another request or request_uri")
		}
		texts, err := texts(value)
		if err != nil {
			return nil, err
		}
		if len(texts) > 0 {
			out[name] = texts
		}
	}
	for _, aud := range std.Audience {
		if aud != issuer {
			out.Add("aud", aud)
		}
	}
	if out.Get("client_id") != std.Issuer || len(out["client_id"]) != 1 {
		return nil, errObject("request-object-client", "its client_id is missing or names another client")
	}
	return out, nil
}

// texts gives the values of a parameter: that of a list once for each member.
// An object, such as the claims of OpenID Connect, stays JSON.
func texts(value any) ([]string, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case bool:
		return []string{strconv.FormatBool(v)}, nil
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}, nil
	case []any:
		var out []string
		for _, one := range v {
			more, err := texts(one)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
		return out, nil
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, errObject("request-object-malformed", "a claim cannot be read")
	}
	return []string{string(raw)}, nil
}

func errObject(code, why string) error {
	return errs.New(errs.InvalidRequestObject, code, "The request object is refused: "+why+".")
}
