package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/internal/keys"
)

// consentVerify checks signatures of versions.
type consentVerify struct {
	storeFlags
	asFlag
	Tenant     string `default:"default" help:"Tenant (default ${default})." placeholder:"ID"`
	Patient    string `help:"Only the Consents of this patient." placeholder:"ID"`
	PublicKeys bool   `help:"Print the public keys instead, as a JWK set: by these the signatures verify elsewhere."`
	JSON       bool   `name:"json" help:"Print as JSON."`
}

// Help says more about the command.
func (consentVerify) Help() string {
	return "Each version of a Consent is signed when it is stored, in its Provenance: a detached JWS over its canonical JSON (RFC 8785). " +
		"A version is named that is changed, unsigned although it was stored when versions were signed, signed by a key that the tenant does not have, unreadable or missing; the exit status is 1 then."
}

// Run checks.
func (c *consentVerify) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		if err := a.openTenant(s.ctx, c.Tenant); err != nil {
			return err
		}
		if _, err := a.requireOperator(s, operator.Need{Tenant: c.Tenant, As: c.As, Role: operator.Auditor, Act: "consent verify"}); err != nil {
			return err
		}
		set, since, err := a.ring.RecordKeys(s.ctx, c.Tenant)
		if err != nil {
			return err
		}
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		if c.PublicKeys {
			return enc.Encode(set)
		}
		found, err := consent.Verifier{Read: a.store, Signer: a.ring, Since: since}.Verify(s.ctx, c.Tenant, c.Patient)
		if err != nil {
			return explain(err)
		}
		if c.JSON {
			err = enc.Encode(found)
		} else {
			printVerified(s.out, found)
		}
		if err == nil && len(found.Faults) > 0 {
			return errFailedChecks
		}
		return err
	})
}

func printVerified(w io.Writer, v consent.Verified) {
	for _, f := range v.Faults {
		fmt.Fprintf(w, "%s: %s\n", f.Consent, f.Fault)
	}
	fmt.Fprintf(w, "%d versions verified, %d stored before versions were signed, %d erased, %d at fault\n", v.Good, v.Older, v.Erased, len(v.Faults))
}

// consentsLooked is how many versions of a tenant doctor looks at; consent verify
// looks at all.
const consentsLooked = 2000

// consentChecks look whether stored versions are those that were signed.
func (d *doctor) consentChecks() []health.Check {
	return d.onStore([]health.Check{{
		ID: "consent-signatures", Looks: "whether stored versions of Consents are those that were signed",
		Remedy: "mandate consent verify", Look: d.consentSignatures,
	}})
}

func (d *doctor) consentSignatures(ctx context.Context) health.Finding {
	if d.provider == nil {
		return health.Unseen("the key provider could not be opened")
	}
	list, err := d.tenants(ctx)
	if err != nil {
		return health.Unseen("the tenants cannot be read")
	}
	ring, err := newRing(d.st, d.clock, d.provider, d.cfg.KeySettings)
	if err != nil {
		return health.Unseen("the keys cannot be opened")
	}
	good, faults := 0, []string{}
	for _, id := range list {
		stored, err := d.st.SigningKeys(ctx, id)
		if err != nil {
			return health.Unseen("the keys cannot be read")
		}
		// A look makes no key.
		if !slices.ContainsFunc(stored, func(k keys.SigningKey) bool { return k.Use == keys.UseRecord }) {
			continue
		}
		_, since, err := ring.RecordKeys(ctx, id)
		if err != nil {
			return health.Unseen("the keys cannot be read")
		}
		found, err := consent.Verifier{Read: d.st, Signer: ring, Since: since, Most: consentsLooked}.Verify(ctx, id, "")
		if err != nil {
			return health.Unseen("the Consents cannot be read")
		}
		good += found.Good
		for _, f := range found.Faults {
			faults = append(faults, f.Consent+" ("+f.Fault+")")
		}
	}
	if len(faults) > 0 {
		return health.Fail("%d versions do not verify, among them %s", len(faults), faults[0])
	}
	return health.Good("%d versions verify", good)
}
