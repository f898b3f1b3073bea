package tlsconf

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"os"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/health"
)

const (
	soon      = 30 * 24 * time.Hour
	verySoon  = 7 * 24 * time.Hour
	longest   = 398 * 24 * time.Hour
	minRSA    = 2048
	minCurve  = 256
	slowReads = time.Hour
)

// certChecks looks at one certificate, read once.
type certChecks struct {
	cfg   Config
	host  string
	clock clock.Clock
}

// Checks lists what mandate doctor asks about the server's TLS. public is the
// URL that browsers use.
func Checks(cfg Config, public string, c clock.Clock) []health.Check {
	host := ""
	if u, err := url.Parse(public); err == nil {
		host = u.Hostname()
	}
	k := &certChecks{cfg: cfg, host: host, clock: c}
	const renew = "get a new certificate and put it in place; it is read without a restart"
	return []health.Check{
		{ID: "tls-certificate", Looks: "whether the certificate and the key can be read and belong together", Remedy: "correct tls.cert_file and tls.key_file", Look: k.with(func([]*x509.Certificate) health.Finding {
			return health.Good("they belong together")
		})},
		{ID: "tls-certificate-ends", Looks: "when the certificate ends", Remedy: renew, Look: k.with(k.ends)},
		{ID: "tls-certificate-begins", Looks: "whether the certificate is valid already", Remedy: "correct this machine's clock, or wait", Look: k.with(func(chain []*x509.Certificate) health.Finding {
			return health.Want(!k.clock.Now().Before(chain[0].NotBefore), "it is valid from %s", chain[0].NotBefore.Format(time.RFC3339))
		})},
		{ID: "tls-certificate-host", Looks: "whether the certificate is for the public URL", Remedy: renew, Look: k.with(func(chain []*x509.Certificate) health.Finding {
			return health.Want(chain[0].VerifyHostname(k.host) == nil, "names in the certificate: %v; public host: %s", chain[0].DNSNames, k.host)
		})},
		{ID: "tls-certificate-trust", Looks: "whether the authorities of this machine lead to the certificate", Remedy: "add the intermediate certificates to tls.cert_file; with an authority of your own, add it to the machine", Look: k.with(k.trust)},
		{ID: "tls-certificate-key", Looks: "the strength of the certificate's key", Remedy: "make a P-256 key", Look: k.with(strength)},
		{ID: "tls-certificate-signature", Looks: "the algorithm of the certificate's signature", Remedy: renew, Look: k.with(func(chain []*x509.Certificate) health.Finding {
			switch chain[0].SignatureAlgorithm {
			case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.MD2WithRSA:
				return health.Fail("it is %s", chain[0].SignatureAlgorithm)
			}
			return health.Good("it is %s", chain[0].SignatureAlgorithm)
		})},
		{ID: "tls-certificate-life", Looks: "for how long the certificate was made", Remedy: "browsers refuse more than 398 days", Look: k.with(func(chain []*x509.Certificate) health.Finding {
			life := chain[0].NotAfter.Sub(chain[0].NotBefore)
			return health.Wish(life <= longest, "%d days", int(life.Hours()/24))
		})},
		{ID: "tls-key-file", Looks: "who can read the file of the private key", Remedy: "chmod 600, owned by the user of the server", Look: k.keyFile},
		{ID: "tls-reload", Looks: "how soon a new certificate is served", Remedy: "lower tls.reload", Look: k.with(func([]*x509.Certificate) health.Finding {
			return health.Wish(cfg.Reload > 0 && cfg.Reload <= slowReads, "the files are looked at every %s", cfg.Reload)
		})},
		{ID: "tls-backup-pin", Looks: "whether a backup key is published", Remedy: "docs/operations/tls.md, rotation calendar", Look: k.with(k.backup)},
		{ID: "tls-next-rotation", Looks: "whether the published day of the next key is ahead", Remedy: "rotate to the backup key, or correct tls.next_rotation", Look: k.with(k.rotation)},
	}
}

// with reads the certificate and asks about it.
func (k *certChecks) with(ask func(chain []*x509.Certificate) health.Finding) func(context.Context) health.Finding {
	return func(context.Context) health.Finding {
		if k.cfg.CertFile == "" {
			return health.Note("TLS ends before this server")
		}
		pair, err := tls.LoadX509KeyPair(k.cfg.CertFile, k.cfg.KeyFile)
		if err != nil {
			return health.Fail("the certificate and the key cannot be used together")
		}
		var chain []*x509.Certificate
		for _, der := range pair.Certificate {
			c, err := x509.ParseCertificate(der)
			if err != nil {
				return health.Fail("a certificate of the chain cannot be read")
			}
			chain = append(chain, c)
		}
		return ask(chain)
	}
}

func (k *certChecks) ends(chain []*x509.Certificate) health.Finding {
	first := chain[0]
	for _, c := range chain {
		if c.NotAfter.Before(first.NotAfter) {
			first = c
		}
	}
	left := first.NotAfter.Sub(k.clock.Now())
	text := "it ends in %d days, on " + first.NotAfter.Format(dateLayout)
	switch days := int(left.Hours() / 24); {
	case left < verySoon:
		return health.Fail(text, days)
	case left < soon:
		return health.Warn(text, days)
	default:
		return health.Good(text, days)
	}
}

func (k *certChecks) trust(chain []*x509.Certificate) health.Finding {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Intermediates: between, CurrentTime: k.clock.Now()})
	return health.Wish(err == nil, "%d certificates in the file; verified by this machine: %v", len(chain), err == nil)
}

func strength(chain []*x509.Certificate) health.Finding {
	switch key := chain[0].PublicKey.(type) {
	case *rsa.PublicKey:
		return health.Want(key.N.BitLen() >= minRSA, "RSA with %d bits", key.N.BitLen())
	case *ecdsa.PublicKey:
		return health.Want(key.Curve.Params().BitSize >= minCurve, "ECDSA on %s", key.Curve.Params().Name)
	default:
		return health.Warn("%s: some clients cannot use it", chain[0].PublicKeyAlgorithm)
	}
}

func (k *certChecks) keyFile(context.Context) health.Finding {
	if k.cfg.KeyFile == "" {
		return health.Note("TLS ends before this server")
	}
	info, err := os.Stat(k.cfg.KeyFile)
	if err != nil {
		return health.Fail("the file cannot be read")
	}
	return health.Want(info.Mode().Perm()&0o027 == 0, "mode %04o", info.Mode().Perm())
}

func (k *certChecks) backup(chain []*x509.Certificate) health.Finding {
	n := 0
	for _, pin := range k.cfg.BackupPins {
		if pin != PinOf(chain[0]) {
			n++
		}
	}
	return health.Wish(n > 0, "%d backup keys are published", n)
}

func (k *certChecks) rotation([]*x509.Certificate) health.Finding {
	day, err := time.Parse(dateLayout, k.cfg.NextRotation)
	if err != nil {
		return health.Note("no day is published")
	}
	return health.Wish(day.After(k.clock.Now()), "the published day is %s", k.cfg.NextRotation)
}
