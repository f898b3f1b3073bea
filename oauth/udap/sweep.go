package udap

import (
	"context"
	"crypto/x509"
	"slices"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/oauth"
)

// Sweeper ends what clients hold whose certificates are not trusted any more.
type Sweeper struct {
	Trust *Trust
	Read  oauth.ClientStore
	Tx    txn.Runner[oauth.Tx]
}

// reasonRevoked is why a client's tokens ended.
const reasonRevoked = "certificate-revoked"

// Sweep asks the revocation lists about every certificate that a client of the
// tenant showed. A client with one that was revoked, or whose community is gone,
// loses its live tokens and grants; the client itself stays, because it may have
// another certificate. A certificate of which nothing can be known ends nothing
// here: it gives no new tokens, and those that live end by themselves. Errors:
// errs.Unavailable.
func (s *Sweeper) Sweep(ctx context.Context, tenant string) error {
	all, err := s.Read.Clients(ctx, tenant)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.UDAP == nil || c.Disabled {
			continue
		}
		bad := s.untrusted(ctx, *c.UDAP)
		if len(bad) == 0 {
			continue
		}
		if err := s.end(ctx, c, bad); err != nil {
			return err
		}
	}
	return nil
}

// untrusted gives the leaves, base64 DER, of the chains that are known to be
// trusted no more. One that has merely ended is none of them.
func (s *Sweeper) untrusted(ctx context.Context, u oauth.UDAP) []string {
	community := s.Trust.Community(u.Community)
	var bad []string
	for _, text := range u.Chains {
		chain, err := ParseX5C(text)
		if err != nil {
			bad = append(bad, text[0])
			continue
		}
		anchor := chain[len(chain)-1]
		gone := community == nil || !slices.ContainsFunc(community.Anchors, func(a *x509.Certificate) bool { return a.Equal(anchor) })
		if gone || len(chain) > 1 && ChainStatus(ctx, s.Trust.Lists, chain, community.CRL) == StatusRevoked {
			bad = append(bad, text[0])
		}
	}
	return bad
}

// end forgets the certificates and ends all that was given to the client so far.
func (s *Sweeper) end(ctx context.Context, found oauth.Client, bad []string) error {
	now := s.Trust.Clock.Now()
	return s.Tx.InTx(ctx, func(tx oauth.Tx) error {
		c, err := tx.ClientByID(ctx, found.Tenant, found.ID)
		if errs.Is(err, errs.NotFound) || err == nil && c.UDAP == nil {
			return nil
		}
		if err != nil {
			return err
		}
		record := *c.UDAP
		record.Chains = slices.DeleteFunc(slices.Clone(record.Chains), func(chain []string) bool { return slices.Contains(bad, chain[0]) })
		c.UDAP, c.GrantsFrom, c.Epoch = &record, now, c.Epoch+1
		if err := tx.PutClient(ctx, c); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.Event{
			Tenant: c.Tenant, Time: now, Kind: audit.ClientChanged, Action: "U", Outcome: audit.Success,
			Reason: reasonRevoked, ClientID: c.ID,
		})
	})
}
