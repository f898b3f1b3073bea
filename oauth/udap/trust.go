package udap

import (
	"context"
	"crypto/x509"
	"slices"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

// Trust is the communities that this server belongs to.
type Trust struct {
	// Communities are asked in their order.
	Communities []Community
	Lists       *Lists
	Clock       clock.Clock
}

// Member is a certificate that was found to be trusted.
type Member struct {
	Community *Community
	// Chain leads from the leaf to the anchor.
	Chain []*x509.Certificate
}

// Leaf gives the certificate of the member itself.
func (m Member) Leaf() *x509.Certificate { return m.Chain[0] }

// Named reports whether the certificate names a URI as its own.
func (m Member) Named(uri string) bool { return uri != "" && slices.Contains(URIs(m.Leaf()), uri) }

// Community gives a community by its URI, nil when there is none.
func (t *Trust) Community(uri string) *Community {
	for i := range t.Communities {
		if t.Communities[i].URI == uri {
			return &t.Communities[i]
		}
	}
	return nil
}

// Verify finds the community in which a certificate is trusted now, among all or
// the one named: a chain leads to its anchors and no list of the chain names it
// (UDP-12). Errors, all errs.Invalid: those of BuildChains;
// udap-certificate-revoked; udap-revocation-unknown, when no list that counts
// could be had: what cannot be known is not trusted.
func (t *Trust) Verify(ctx context.Context, certs []*x509.Certificate, community string) (Member, error) {
	refused := errChain("udap-certificate-untrusted", "it does not lead to an anchor of a trusted community")
	for i := range t.Communities {
		c := &t.Communities[i]
		if community != "" && c.URI != community {
			continue
		}
		chains, err := BuildChains(certs, c.Anchors, t.Clock.Now())
		if err != nil {
			refused = graver(refused, err)
			continue
		}
		for _, chain := range chains {
			switch ChainStatus(ctx, t.Lists, chain, c.CRL) {
			case StatusGood:
				return Member{Community: c, Chain: chain}, nil
			case StatusRevoked:
				refused = graver(refused, errChain("udap-certificate-revoked", "it, or an authority above it, was revoked"))
			case StatusUnknown:
				refused = graver(refused, errChain("udap-revocation-unknown", "whether it was revoked cannot be known at the moment"))
			}
		}
	}
	return Member{}, refused
}

// gravity orders refusals: what is known for certain goes before what is not.
var gravity = []string{
	"udap-certificate-untrusted", "udap-certificate-expired", "udap-revocation-unknown", "udap-leaf", "udap-certificate-revoked",
}

func graver(a, b error) error {
	if slices.Index(gravity, errs.As(b).Code) > slices.Index(gravity, errs.As(a).Code) {
		return b
	}
	return a
}
