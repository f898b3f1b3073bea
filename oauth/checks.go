package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/health"
)

// quietFor is after how long a client that was never verified is suspicious.
const quietFor = 30 * 24 * time.Hour

// minClientRSA is the least RSA key of a client, in bits (SMART ASY-02).
const minClientRSA = 2048

// ClientChecks lists what mandate doctor asks about the registered clients of
// all tenants; read gives them.
func ClientChecks(read func(context.Context) ([]Client, error), now time.Time) []health.Check {
	each := func(id, looks, remedy string, grade func(bool, string, ...any) health.Finding, bad func(Client) bool) health.Check {
		return health.Check{ID: id, Looks: looks, Remedy: remedy, Look: func(ctx context.Context) health.Finding {
			all, err := read(ctx)
			if err != nil {
				return health.Unseen("the clients cannot be read")
			}
			var found []string
			for _, c := range all {
				if !c.Disabled && bad(c) {
					found = append(found, c.ID)
				}
			}
			return grade(len(found) == 0, "%d of %d clients: %s", len(found), len(all), some(found))
		}}
	}
	const correct = "correct the registration: mandate client"
	return []health.Check{
		each("client-redirect-https", "redirect URIs over plain http to another machine", correct, health.Want, func(c Client) bool {
			return slices.ContainsFunc(c.RedirectURIs, inTheClear)
		}),
		each("client-redirect-wide", "redirect URIs with a wildcard, a fragment or user information", correct, health.Want, func(c Client) bool {
			return slices.ContainsFunc(c.RedirectURIs, func(raw string) bool {
				u, err := url.Parse(raw)
				return err != nil || u.Fragment != "" || u.User != nil || strings.Contains(raw, "*")
			})
		}),
		each("client-launch-https", "launch URIs over plain http to another machine", correct, health.Want, func(c Client) bool {
			return slices.ContainsFunc(c.LaunchURIs, inTheClear)
		}),
		each("client-origins", "origins from which browsers may call: any, or over plain http", correct, health.Want, func(c Client) bool {
			return slices.ContainsFunc(c.AllowedOrigins, func(o string) bool { return o == "*" || o == "null" || inTheClear(o) })
		}),
		each("client-jwks-https", "key sets fetched over plain http", correct, health.Want, func(c Client) bool {
			return c.JWKSURI != "" && !strings.HasPrefix(c.JWKSURI, "https://")
		}),
		each("client-keys", "asymmetric clients without a key, or with a weak or private one", "ask the app's maker for a P-384 or RSA key of 2048 bits or more", health.Want, weakKeys),
		each("client-symmetric", "apps that use a secret where they could use a key", "ask the app's maker for private_key_jwt", health.Wish, func(c Client) bool { return c.Kind == ClientSymmetric }),
		each("client-profile", "registrations that contradict the security profile to which the client is held", correct, health.Want, func(c Client) bool {
			return len(c.Contradictions()) > 0
		}),
		each("client-secrets", "more secrets than a rotation needs", "remove the old secret", health.Wish, func(c Client) bool { return len(c.SecretHashes) > 2 }),
		each("client-scopes", "apps that may ask for everything there is", "lower the ceiling to what the app needs", health.Wish, func(c Client) bool {
			return slices.ContainsFunc(strings.Fields(c.Scopes), func(s string) bool {
				return strings.HasPrefix(s, "system/*.") || strings.HasPrefix(s, "user/*.") && !strings.HasSuffix(s, ".read") && !strings.HasSuffix(s, ".rs")
			})
		}),
		each("client-verified", "apps that nobody has checked for a month after they were registered", "check the app, or disable it", health.Wish, func(c Client) bool {
			return c.Verified.IsZero() && !c.Created.IsZero() && now.Sub(c.Created) > quietFor
		}),
		each("client-introspect", "public clients that may introspect, evaluate access or register launches", correct, health.Want, func(c Client) bool {
			return c.Kind == ClientPublic && (c.Introspect || c.RegisterLaunch || c.EvaluateAccess)
		}),
	}
}

// some names the first few.
func some(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	if len(ids) > 5 {
		return strings.Join(ids[:5], ", ") + ", …"
	}
	return strings.Join(ids, ", ")
}

// inTheClear reports whether an address sends what it is given over the network
// unencrypted. Loopback stays on the machine (RFC 8252 §7.3).
func inTheClear(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" {
		return false
	}
	h := u.Hostname()
	return h != "localhost" && h != "127.0.0.1" && h != "::1"
}

func weakKeys(c Client) bool {
	if c.Kind != ClientAsymmetric && c.Kind != ClientBackend || c.JWKSURI != "" || c.UDAP != nil || c.AuthMethod == MethodTLS {
		return false
	}
	var set jose.JSONWebKeySet
	if json.Unmarshal(c.JWKS, &set) != nil || len(set.Keys) == 0 {
		return true
	}
	return slices.ContainsFunc(set.Keys, func(k jose.JSONWebKey) bool {
		switch key := k.Key.(type) {
		case *rsa.PublicKey:
			return key.N.BitLen() < minClientRSA
		case *ecdsa.PublicKey:
			return key.Curve.Params().BitSize < 256
		default:
			return true
		}
	})
}
