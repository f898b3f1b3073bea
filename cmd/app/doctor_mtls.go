package app

import (
	"context"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/internal/health"
)

// certificateCheck looks for clients that can get no token here, because this
// server asks nobody for the certificate that they need (RFC 8705).
func (d *doctor) certificateCheck() []health.Check {
	return []health.Check{{
		ID: "client-certificates", Looks: "clients that need a TLS client certificate which this server does not ask for, or from authorities that it does not know",
		Remedy: "ask for certificates with --mtls-listen or --client-cert-proxy, name the authorities with --mtls-ca, or register the clients otherwise", Look: func(ctx context.Context) health.Finding {
			all, err := d.clients(ctx)
			if err != nil {
				return health.Unseen("the clients cannot be read")
			}
			offered := d.cfg.MTLS.methods()
			var lost []string
			for _, c := range all {
				needs := c.ByCertificate() && !slices.Contains(offered, c.AuthMethod) || c.CertificateBound && len(offered) == 0
				if needs && !c.Disabled {
					lost = append(lost, c.ID)
				}
			}
			return health.Want(len(lost) == 0, "%d clients: %s", len(lost), strings.Join(lost[:min(len(lost), 5)], ", "))
		},
	}}
}
