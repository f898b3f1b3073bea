package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/keys/local"
	tenants "github.com/mandate-health/mandate/internal/tenant"
)

// keysCommand looks at and replaces keys while servers go on.
type keysCommand struct {
	List   keysList   `cmd:"" help:"List keys with their age and when each is due."`
	Status keysStatus `cmd:"" help:"Tell what is overdue and how far the encrypting again is; fails when a key is overdue."`
	Rotate keysRotate `cmd:"" help:"Replace a key by a new one while servers run."`
	Retire keysRetire `cmd:"" help:"Remove a signing key that others may know. What it signed is refused from then on."`
	Shred  keysShred  `cmd:"" help:"Erase a patient, or a whole tenant, for good by destroying the keys."`
	Split  keysSplit  `cmd:"" help:"Split the key file: from then on it opens with some of several shares only."`
	Reseal keysReseal `cmd:"" help:"Encrypt now what is under older keys, or is not encrypted."`
}

type keysList struct {
	storeFlags
	JSON bool `name:"json" help:"Print as JSON."`
}

type keysStatus struct{ storeFlags }

// custodianFlags are those of commands for the key custodian (SE-05).
type custodianFlags struct {
	storeFlags
	asFlag
	Tenant string `default:"default" help:"Tenant (default ${default})." placeholder:"ID"`
}

// withCustodian is with for who may change keys; person is the account that
// does so.
func (f custodianFlags) withCustodian(s *streams, act string, run func(a *App, person string) error) error {
	return f.with(s, func(a *App) error {
		if err := a.openTenant(s.ctx, f.Tenant); err != nil {
			return err
		}
		person, err := a.requireOperator(s, operator.Need{
			Tenant: f.Tenant, As: f.As, Role: operator.KeyCustodian, Act: act,
		})
		if err != nil {
			return err
		}
		return run(a, person)
	})
}

type keysRotate struct {
	custodianFlags
	Kind     string        `arg:"" enum:"kek,tenant,data,index,patients,audit-log,access-token,id-token,id-token-es256,access-handle,token-hash,record" help:"kek, tenant, data, index, patients, audit-log, access-token, id-token, id-token-es256, access-handle, token-hash or record."`
	Patient  string        `help:"With data: the key of this patient." placeholder:"ID"`
	Announce time.Duration `default:"30s" help:"How long a signing key is published before it signs (default ${default})."`
}

type keysRetire struct {
	custodianFlags
	KID string `arg:"" name:"kid" help:"The key's id, as keys list tells it; put -- before one that begins with a dash."`
}

type keysShred struct {
	custodianFlags
	Patient   string `xor:"what" required:"" help:"Erase what is encrypted for this patient." placeholder:"ID"`
	AllTenant bool   `name:"whole-tenant" xor:"what" required:"" help:"Erase everything of the tenant."`
	Yes       bool   `help:"Do it. It cannot be undone."`
}

type keysSplit struct {
	custodianFlags
	Shares    int    `required:"" help:"Number of shares to make." placeholder:"N"`
	Threshold int    `required:"" help:"Number of shares that open the file." placeholder:"K"`
	Out       string `required:"" help:"Folder in which the shares are written, one file each." placeholder:"DIR" type:"path"`
}

type keysReseal struct {
	storeFlags
	AcceptPlain bool `name:"accept-plaintext" help:"Read what an older version stored unencrypted."`
}

func (a *App) inventory() keys.Inventory {
	return keys.Inventory{Provider: a.provider, Vault: a.store, Signing: a.store, More: logKeyItems(a.store)}
}

// Run lists the keys.
func (c *keysList) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		now := a.clock.Now()
		items, err := a.inventory().Items(s.ctx, now)
		if err != nil {
			return err
		}
		if c.JSON {
			enc := json.NewEncoder(s.out)
			enc.SetIndent("", "  ")
			return enc.Encode(items)
		}
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "TENANT\tKIND\tKEY\tWHERE\tSTATE\tAGE\tDUE")
		for _, i := range items {
			due := "-"
			if !i.Due.IsZero() {
				due = i.Due.UTC().Format(time.DateOnly)
			}
			if i.Overdue(now) {
				due += " OVERDUE"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", orDash(i.Tenant), i.Kind, orDash(i.ID), i.Where, i.State, ageText(i, now), due)
		}
		return w.Flush()
	})
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func ageText(i keys.Item, now time.Time) string {
	if i.Created.IsZero() {
		return "unknown"
	}
	return fmt.Sprintf("%d d", int(i.Age(now).Hours()/24))
}

// Run tells what asks for a hand.
func (c *keysStatus) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		now := a.clock.Now()
		items, err := a.inventory().Items(s.ctx, now)
		if err != nil {
			return err
		}
		overdue := 0
		for _, i := range items {
			if i.Overdue(now) {
				overdue++
				fmt.Fprintf(s.out, "overdue: %s %s %s since %s; run mandate keys rotate %s\n", orDash(i.Tenant), i.Kind, i.ID, i.Due.UTC().Format(time.DateOnly), i.Kind)
			}
		}
		all, err := a.store.Reseals(s.ctx)
		if err != nil {
			return err
		}
		for _, r := range all {
			if r.Finished.IsZero() {
				fmt.Fprintf(s.out, "encrypting again: tenant %s since %s, at %s, %d values looked at, %d changed in this pass\n",
					r.Tenant, r.Started.UTC().Format(time.RFC3339), orDash(r.Position), r.Seen, r.Stale)
			}
		}
		if overdue > 0 {
			return errFailedChecks
		}
		fmt.Fprintln(s.out, "no key is overdue")
		return nil
	})
}

// Run rotates one kind of key. The key-encryption key is that of all tenants.
func (c *keysRotate) Run(s *streams) error {
	if c.Kind == "kek" {
		c.Tenant = tenants.Default
	}
	return c.withCustodian(s, "keys rotate "+c.Kind, func(a *App, person string) error {
		if c.Kind == keys.KindAuditLog {
			return c.rotateLog(s, a, person)
		}
		told, err := c.rotate(s, a.newCustodian(person))
		if err != nil {
			return err
		}
		fmt.Fprintln(s.out, told)
		return nil
	})
}

func (c *keysRotate) rotateLog(s *streams, a *App, person string) error {
	k, err := a.rotateLogKeys(s.ctx, c.Tenant, person)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "new keys of the audit log, v%d; a running server signs with them once their announcement %s is sealed\n", k.Generation, k.Event)
	fmt.Fprintf(s.out, "give witnesses the new public key: %s\n", k.VerifierKey)
	return nil
}

func (c *keysRotate) rotate(s *streams, custodian *keys.Custodian) (told string, err error) {
	const later = "; a running server encrypts the store again under it and destroys the older one, see mandate keys status"
	switch c.Kind {
	case "kek":
		kek, n, err := custodian.RotateKEK(s.ctx, c.Tenant)
		return fmt.Sprintf("new key-encryption key %s; %d tenant keys are wrapped under it", kek.ID, n), err
	case "tenant":
		return "new tenant key, active in " + keys.Announce.String() + "; a running server wraps the data keys under it", custodian.RotateTenant(s.ctx, c.Tenant)
	case "data":
		return "new data key, active in " + keys.Announce.String() + later, custodian.RotateData(s.ctx, c.Tenant, c.Patient)
	case "index":
		return "new index key, active in " + keys.Announce.String() + later, custodian.RotateData(s.ctx, c.Tenant, keys.SubjectIndex)
	case "patients":
		n, err := custodian.RotatePatients(s.ctx, c.Tenant)
		return fmt.Sprintf("new data keys of %d patients, active in %s%s", n, keys.Announce, later), err
	default:
		k, err := custodian.RotateSigning(s.ctx, c.Tenant, keys.Use(c.Kind), c.Announce)
		return fmt.Sprintf("new signing key %s; it signs from %s on", k.KID, k.Signs.UTC().Format(time.RFC3339)), err
	}
}

// Run removes a signing key.
func (c *keysRetire) Run(s *streams) error {
	return c.withCustodian(s, "keys retire", func(a *App, person string) error {
		if err := a.newCustodian(person).RevokeSigning(s.ctx, c.Tenant, c.KID); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "signing key %s is gone; what it signed is refused by every server within %s\n", c.KID, maxTold)
		return nil
	})
}

// maxTold is how long a server may take to hear of a change of keys (D17).
const maxTold = 5 * time.Second

// Run erases a patient or a tenant.
func (c *keysShred) Run(s *streams) error {
	what := "patient " + c.Patient
	if c.AllTenant {
		what = "all of tenant " + c.Tenant
	}
	if !c.Yes {
		return fmt.Errorf("nothing was erased: %s could never be read again, in no backup either; say --yes to do it", what)
	}
	return c.withCustodian(s, "keys shred", func(a *App, person string) error {
		custodian := a.newCustodian(person)
		var at time.Time
		var err error
		if c.AllTenant {
			at, err = custodian.ShredTenant(s.ctx, c.Tenant)
		} else {
			at, err = custodian.Shred(s.ctx, c.Tenant, c.Patient)
		}
		if err != nil {
			return err
		}
		return a.destroyed(s, custodian, at, what)
	})
}

// destroyed waits until keys that were ended may be destroyed, and does it.
func (a *App) destroyed(s *streams, custodian *keys.Custodian, at time.Time, what string) error {
	fmt.Fprintf(s.out, "the keys of %s encrypt no more; waiting until %s, when no server uses them, to destroy them\n", what, at.UTC().Format(time.TimeOnly))
	wait := time.NewTimer(at.Sub(a.clock.Now()) + time.Second)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-s.ctx.Done():
		return errors.New("stopped while waiting: a running server destroys the keys when it is time")
	}
	if err := a.sealEnds(s.ctx); err != nil {
		return err
	}
	if err := custodian.Tend(s.ctx); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s is erased\n", what)
	return nil
}

// Run splits the key file, which is that of all tenants.
func (c *keysSplit) Run(s *streams) error {
	c.Tenant = tenants.Default
	return c.withCustodian(s, "keys split", func(a *App, person string) error {
		file, ok := a.provider.(*local.Provider)
		if !ok {
			return errs.New(errs.NotSupported, "split-file-only", "Only a key file can be split; an HSM or a key service has its own quorum.")
		}
		act := keys.Act{Tenant: c.Tenant, Action: "U", Reason: "key-file-split", Kind: "kek", Key: fmt.Sprintf("%d of %d", c.Threshold, c.Shares)}
		return a.newCustodian(person).Outside(s.ctx, act, func() (string, error) { return "", c.split(s, file) })
	})
}

// split writes the shares and boxes the key file.
func (c *keysSplit) split(s *streams, file *local.Provider) error {
	keep := func(shares []local.Share) error { return c.keep(s, shares) }
	if _, err := file.Split(c.Shares, c.Threshold, keep); err != nil {
		return err
	}
	for i := range c.Shares {
		fmt.Fprintln(s.out, c.path(i))
	}
	fmt.Fprintf(s.out, "give each share to another person and delete it here; %d of them open the key file\n", c.Threshold)
	return nil
}

// files implements filing.
func (c *keysSplit) files() (reads []string, makes string) { return nil, c.Out }

func (c *keysSplit) path(i int) string { return filepath.Join(c.Out, fmt.Sprintf("share-%d.txt", i+1)) }

// keep writes the shares durably. It overwrites none: until the file is boxed
// anew only the older ones open it.
func (c *keysSplit) keep(s *streams, shares []local.Share) error {
	for i, share := range shares {
		if err := s.CreateFile(s.ctx, c.path(i), []byte(share.String()+"\n")); err != nil {
			return err
		}
	}
	return nil
}

// alone: what an older version stored unencrypted is read by no running server.
func (c *keysReseal) alone() bool { return c.AcceptPlain }

// Run encrypts again until nothing is left.
func (c *keysReseal) Run(s *streams) error {
	return c.withConfig(s, func(cfg *Config) { cfg.Dev = c.AcceptPlain }, func(a *App) error {
		all, err := a.store.KeyTenants(s.ctx)
		if err != nil {
			return err
		}
		for _, t := range all {
			if err := a.store.StartReseal(s.ctx, t, a.clock.Now()); err != nil {
				return err
			}
		}
		for {
			finished, err := a.store.Reseal(s.ctx)
			if err != nil {
				return err
			}
			if finished {
				break
			}
			fmt.Fprintln(s.out, "nothing is left under older keys; looking once more when every server knows the newest")
			pause := time.NewTimer(keys.Announce)
			select {
			case <-pause.C:
			case <-s.ctx.Done():
				pause.Stop()
				return s.ctx.Err()
			}
		}
		fmt.Fprintln(s.out, "everything is encrypted under the newest keys")
		return nil
	})
}
