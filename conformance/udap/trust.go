package udap

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"net/http"
	"net/url"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

func trust() []kit.Row {
	return []kit.Row{
		{ID: "SMART UDP-11", Title: "RS256, ES256 and ES384 statements with x5c are taken; a key that is not the certificate's is not", Needs: kit.UDAP, Run: trustAlgorithms},
		{ID: "SMART UDP-12", Title: "expired, foreign, self-made and misused certificates are refused, an intermediate authority is not", Needs: kit.UDAP, Run: trustChain},
		{ID: "SMART UDP-12b", Title: "a revoked certificate registers nothing, and neither does one whose list cannot be had", Needs: kit.UDAP, Run: trustRevoked},
		{ID: "SMART UDP-12c", Title: "a certificate that is revoked ends the live tokens given for it", Needs: kit.UDAP, Run: trustEnds},
		{ID: "SMART UDP-12d", Title: "a revoked certificate ends what a person granted, and a new one does not bring it back", Needs: kit.UDAP | kit.Login, Run: trustEndsGrant},
		{ID: "SMART UDP-13", Title: "URIs are compared as strings, and a jti is used once", Needs: kit.UDAP, Run: trustStrings},
	}
}

func trustAlgorithms(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	strong, err := kit.RSAKey(2048)
	if err != nil {
		return err
	}
	weak, err := kit.RSAKey(1024)
	if err != nil {
		return err
	}
	p256, err := kit.ECKey(elliptic.P256())
	if err != nil {
		return err
	}
	p384, err := kit.ECKey(elliptic.P384())
	if err != nil {
		return err
	}
	for what, key := range map[string]crypto.Signer{"RS256": strong, "ES256": p256, "ES384": p384} {
		m, err := issue(t, key, nil)
		if !c.Note(err) {
			continue
		}
		res, err := submit(ctx, t, m, false, nil)
		if c.Note(err) {
			c.That(res.Status == http.StatusCreated, "%s: %s", what, res)
		}
	}
	m, err := issue(t, weak, nil)
	if err != nil {
		return err
	}
	res, err := submit(ctx, t, m, false, nil)
	if c.Note(err) {
		refusedWith(&c, "RSA of 1024 bits", res, "invalid_software_statement", "unapproved_software_statement")
	}
	good, err := issue(t, p256, nil)
	if err != nil {
		return err
	}
	stranger, err := kit.ECKey(elliptic.P256())
	if err != nil {
		return err
	}
	thief := kit.Member{URI: good.URI, Chain: good.Chain, Key: stranger}
	for what, header := range map[string]map[string]any{
		"another's certificate": nil, "no x5c": {"x5c": nil}, "an empty x5c": {"x5c": []string{}}, "x5c that is none": {"x5c": []string{"AAAA"}},
	} {
		who := good
		if header == nil {
			who = thief
		}
		res, err := submit(ctx, t, who, false, func(a *kit.Assertion) { a.Header = header })
		if c.Note(err) {
			refusedWith(&c, what, res, "invalid_software_statement")
		}
	}
	return c.Err()
}

func trustChain(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	now := t.Now()
	authority, err := t.UDAPCA.Authority()
	if err != nil {
		return err
	}
	foreign, err := kit.NewAuthority(now)
	if err != nil {
		return err
	}
	between, err := authority.Between(now)
	if err != nil {
		return err
	}
	try := func(what string, a kit.Authority, good bool, bend func(*x509.Certificate)) {
		m, err := a.Issue(newURI(t), now, nil, bend)
		if !c.Note(err) {
			return
		}
		res, err := submit(ctx, t, m, false, nil)
		switch {
		case !c.Note(err):
		case good:
			c.That(res.Status == http.StatusCreated, "%s: %s", what, res)
		default:
			refusedWith(&c, what, res, "unapproved_software_statement", "invalid_software_statement")
		}
	}
	try("an intermediate authority", between, true, nil)
	try("a foreign root", foreign, false, nil)
	try("expired", authority, false, func(x *x509.Certificate) { x.NotBefore, x.NotAfter = now.Add(-48*time.Hour), now.Add(-time.Hour) })
	try("not yet valid", authority, false, func(x *x509.Certificate) { x.NotBefore = now.Add(time.Hour) })
	try("an authority itself", authority, false, func(x *x509.Certificate) {
		x.IsCA, x.BasicConstraintsValid, x.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	})
	try("not for signatures", authority, false, func(x *x509.Certificate) { x.KeyUsage = x509.KeyUsageKeyEncipherment })
	without := between
	without.Above = nil
	try("without its intermediate", without, false, nil)
	other, err := url.Parse("https://somebody-else.example/")
	if err != nil {
		return err
	}
	m, err := authority.Issue(newURI(t), now, nil, func(x *x509.Certificate) { x.URIs = []*url.URL{other} })
	if err != nil {
		return err
	}
	res, err := submit(ctx, t, m, false, nil)
	if c.Note(err) {
		refusedWith(&c, "a SAN URI of somebody else", res, "invalid_software_statement", "unapproved_software_statement")
	}
	return c.Err()
}

// listed begins a list of the community's authority, and gives what makes a
// certificate name it.
func listed(ctx context.Context, t *kit.Target) (*kit.CRLHost, func(*x509.Certificate), error) {
	authority, err := t.UDAPCA.Authority()
	if err != nil {
		return nil, nil, err
	}
	host, err := authority.ServeCRL(ctx, t.Now())
	if err != nil {
		return nil, nil, err
	}
	return host, func(x *x509.Certificate) { x.CRLDistributionPoints = []string{host.Address()} }, nil
}

func trustRevoked(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	host, named, err := listed(ctx, t)
	if err != nil {
		return err
	}
	defer host.Close()
	m, err := issue(t, nil, named)
	if err != nil {
		return err
	}
	host.Revoke(m, t.Now())
	res, err := submit(ctx, t, m, false, nil)
	if c.Note(err) {
		refusedWith(&c, "revoked", res, "unapproved_software_statement", "invalid_software_statement")
	}
	away, named, err := listed(ctx, t)
	if err != nil {
		return err
	}
	defer away.Close()
	away.Leave()
	if m, err = issue(t, nil, named); err != nil {
		return err
	}
	res, err = submit(ctx, t, m, false, nil)
	if c.Note(err) {
		refusedWith(&c, "a list that cannot be had", res, "unapproved_software_statement", "invalid_software_statement")
	}
	return c.Err()
}

// refreshes asks for lists that are fetched so often that a check can wait.
func refreshes(t *kit.Target) error {
	if t.UDAPCA.CRLRefresh <= 0 || t.UDAPCA.CRLRefresh > 60 {
		return kit.Unmet{Why: "a refresh time of revocation lists of at most a minute (udap_ca.crl_refresh)"}
	}
	return nil
}

// revocable gives a client whose certificate names a list of its own, which the
// server reads so often that a check can wait. Close ends the host of the list.
func revocable(ctx context.Context, t *kit.Target, people bool) (kit.Client, *kit.CRLHost, error) {
	if err := refreshes(t); err != nil {
		return kit.Client{}, nil, err
	}
	host, named, err := listed(ctx, t)
	if err != nil {
		return kit.Client{}, nil, err
	}
	client, err := register(ctx, t, people, named)
	if err != nil {
		host.Close()
	}
	return client, host, err
}

// ends waits until an access token reads nothing any more, for as long as the
// server says that a revocation may take.
func ends(ctx context.Context, t *kit.Target, c *kit.Check, token string) {
	within := time.Duration(t.UDAPCA.CRLRefresh) * time.Second
	ctx, cancel := context.WithTimeout(ctx, within+10*time.Second)
	defer cancel()
	var seen *kit.Response
	ended := t.Await(ctx, within, func() bool {
		res, err := t.FHIR(ctx, token, "Patient?_count=1")
		seen = res
		return err == nil && res.Status == http.StatusUnauthorized
	})
	c.That(ended, "after %s the token still reads: %v", within, seen)
}

// trustEndsGrant: what a person granted to the app ends with the certificate by
// which it was given, although the app itself stays and may show another one.
func trustEndsGrant(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client, host, err := revocable(ctx, t, true)
	if err != nil {
		return err
	}
	defer host.Close()
	g, err := t.Launch(ctx, kit.Launch{Client: client, Scope: appScope, Visit: kit.Visit{Person: t.Patient()}})
	if err != nil {
		return err
	}
	seen, err := t.FHIR(ctx, g.Access(), "Patient?_count=1")
	if !c.Note(err) || !c.That(seen.Status == http.StatusOK && g.RefreshToken() != "", "before: %s", seen) {
		return c.Err()
	}
	host.Revoke(*client.Member, t.Now())
	ends(ctx, t, &c, g.Access())
	for what, token := range map[string]string{"access": g.Access(), "refresh": g.RefreshToken()} {
		about, err := t.Introspect(ctx, t.Client("symmetric"), token)
		if c.Note(err) {
			c.That(about.JSON()["active"] != true, "introspection of the %s token: %s", what, about)
		}
	}
	res, err := t.Refresh(ctx, client, g.RefreshToken(), "")
	if c.Note(err) {
		c.That(res.Status == http.StatusUnauthorized && res.Text("error") == "invalid_client", "a refresh with the revoked certificate: %s", res)
	}
	authority, err := t.UDAPCA.Authority()
	if err != nil {
		return err
	}
	renewed, err := authority.Issue(client.Member.URI, t.Now(), nil, nil)
	if err != nil {
		return err
	}
	client.Member = &renewed
	if res, err = t.Refresh(ctx, client, g.RefreshToken(), ""); c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_grant", "a refresh with a new certificate: %s", res)
	}
	again, err := t.Launch(ctx, kit.Launch{Client: client, Scope: appScope, Visit: kit.Visit{Person: t.Patient()}})
	if c.Note(err) {
		next, err := t.Refresh(ctx, client, again.RefreshToken(), "")
		if c.Note(err) {
			c.That(next.Status == http.StatusOK, "what is granted anew: %s", next)
		}
	}
	return c.Err()
}

func trustEnds(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client, host, err := revocable(ctx, t, false)
	if err != nil {
		return err
	}
	defer host.Close()
	res, err := t.ClientCredentials(ctx, client, serviceScope)
	if err != nil {
		return err
	}
	token := res.Text("access_token")
	seen, err := t.FHIR(ctx, token, "Patient?_count=1")
	if !c.Note(err) || !c.That(seen.Status == http.StatusOK, "before: %s %s", res, seen) {
		return c.Err()
	}
	host.Revoke(*client.Member, t.Now())
	ends(ctx, t, &c, token)
	about, err := t.Introspect(ctx, t.Client("symmetric"), token)
	if c.Note(err) {
		c.That(about.JSON()["active"] != true, "introspection: %s", about)
	}
	if res, err = t.ClientCredentials(ctx, client, serviceScope); c.Note(err) {
		c.That(res.Status == http.StatusUnauthorized && res.Text("error") == "invalid_client", "a new token: %s", res)
	}
	return c.Err()
}

func trustStrings(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	m, err := issue(t, nil, nil)
	if err != nil {
		return err
	}
	for what, uri := range map[string]string{
		"scheme in capitals": "HTTPS" + m.URI[len("https"):], "a trailing slash": m.URI + "/", "a port": "https://clinic.example:443" + m.URI[len("https://clinic.example"):],
	} {
		res, err := submit(ctx, t, m, false, func(a *kit.Assertion) { a.Claims["iss"], a.Claims["sub"] = uri, uri })
		if c.Note(err) {
			refusedWith(&c, what, res, "invalid_software_statement", "unapproved_software_statement")
		}
	}
	d, err := read(ctx, t)
	if err != nil {
		return err
	}
	signed, err := m.Sign(statement(t, m, d.Register, false))
	if err != nil {
		return err
	}
	first, err := post(ctx, t, d.Register, signed, nil)
	if c.Note(err) {
		c.That(first.Status == http.StatusCreated, "first: %s", first)
	}
	again, err := post(ctx, t, d.Register, signed, nil)
	if c.Note(err) {
		refusedWith(&c, "a replay", again, "invalid_software_statement")
	}
	return c.Err()
}
