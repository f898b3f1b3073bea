package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/export"
	"github.com/mandate-health/mandate/identity/operator"
	tenants "github.com/mandate-health/mandate/internal/tenant"
)

// auditCommand works with the audit log.
type auditCommand struct {
	Verify      auditVerify      `cmd:"" help:"Check the log, or an export of it, and name every event that was changed, removed, added or moved."`
	Checkpoint  auditCheckpoint  `cmd:"" help:"Print the newest signed checkpoint, to be kept outside of this machine."`
	Key         auditKey         `cmd:"" help:"Print the public key that verifies checkpoints."`
	Prove       auditProve       `cmd:"" help:"Print the proof that one event stands in the log."`
	Consistency auditConsistency `cmd:"" help:"Print the proof that the log only grew between two sizes."`
	Export      auditExport      `cmd:"" help:"Write the log to standard output."`
	Hold        auditHold        `cmd:"" help:"Keep events from being erased for a legal matter."`
	Retention   auditRetention   `cmd:"" help:"Say how long the bodies of events are kept."`
}

// auditStore says which store and which tenant.
type auditStore struct {
	storeFlags
	Tenant string `default:"default" help:"Tenant (default ${default})." placeholder:"ID"`
}

// openedLog is a log on an open store.
type openedLog struct {
	*App
	keys   *audit.LogKeys
	tenant string
	asked  *streams
}

// with opens the store for the time of fn.
func (c *auditStore) with(s *streams, fn func(ctx context.Context, l openedLog) error) error {
	return c.storeFlags.with(s, func(a *App) error {
		l, err := openLog(s, a, c.Tenant)
		if err != nil {
			return err
		}
		return fn(s.ctx, l)
	})
}

func openLog(s *streams, a *App, tenant string) (openedLog, error) {
	keys, err := audit.OpenLogKeys(s.ctx, a.store, a.ids, tenant)
	return openedLog{App: a, keys: keys, tenant: tenant, asked: s}, err
}

// require asks for an auditor and gives the account.
func (l openedLog) require(as, act string) (string, error) {
	tenant := l.tenant
	if l.keys.Erased() {
		// Its operators are erased too.
		tenant = tenants.Default
	}
	return l.requireOperator(l.asked, operator.Need{Tenant: tenant, As: as, Role: operator.Auditor, Act: act})
}

type auditVerify struct {
	auditStore
	Export     string   `help:"Verify this export (of audit export --format ndjson) in place of a store." placeholder:"FILE" type:"existingfile"`
	Key        string   `help:"Public key of the log, as audit key prints it, of today or from before a rotation; for an export." placeholder:"KEY"`
	Checkpoint []string `help:"File with a checkpoint kept elsewhere, which the log must agree with; may be repeated." placeholder:"FILE" type:"existingfile"`
	JSON       bool     `name:"json" help:"Print the report as JSON."`
}

// alone: an export needs no store.
func (c *auditVerify) alone() bool { return c.Export != "" }

// files implements filing.
func (c *auditVerify) files() (reads []string, makes string) { return c.Checkpoint, "" }

// Run verifies and fails when anything is wrong.
func (c *auditVerify) Run(s *streams) error {
	witnessed, err := s.readFiles(c.Checkpoint)
	if err != nil {
		return err
	}
	if c.Export != "" {
		return c.verifyExport(s, witnessed)
	}
	return c.with(s, func(ctx context.Context, l openedLog) error {
		r, err := audit.VerifyStore(ctx, l.store, l.keys, l.clock.Now(), witnessed...)
		if err != nil {
			return err
		}
		beside, err := l.retentionOf().Check(ctx, l.tenant)
		if err != nil {
			return err
		}
		for _, f := range beside {
			r.Add(f)
		}
		return printReport(s, r, c.JSON)
	})
}

// verifyExport needs no store. A key that only the export names proves no more
// than that the export fits itself.
func (c *auditVerify) verifyExport(s *streams, witnessed [][]byte) error {
	f, err := export.OpenFile(c.Export)
	if err != nil {
		return explain(err)
	}
	key := c.Key
	if key == "" {
		key = f.VerifierKey()
		fmt.Fprintln(s.err, "mandate: the key was taken from the export itself; give the log's own with --key (see mandate audit key)")
	}
	r, err := audit.Verify(s.ctx, f, audit.VerifyOptions{VerifierKey: key, Witnessed: witnessed, Now: f.Exported()})
	if err != nil {
		return explain(err)
	}
	return printReport(s, r, c.JSON)
}

func (s *streams) readFiles(paths []string) ([][]byte, error) {
	var out [][]byte
	for _, path := range paths {
		text, err := s.ReadFile(s.ctx, path)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be read: %w", path, err)
		}
		out = append(out, text)
	}
	return out, nil
}

func printReport(s *streams, r *audit.Report, asJSON bool) error {
	if asJSON {
		if err := printJSON(s, r); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(s.out, "audit log of %s: %d sealed events, %d intact, %d lawfully erased", r.Tenant, r.Size, r.Intact, r.Erased)
		if r.Unchecked > 0 {
			fmt.Fprintf(s.out, " (the columns of %d cannot be checked: their keys were destroyed)", r.Unchecked)
		}
		if r.Withheld > 0 {
			fmt.Fprintf(s.out, ", %d withheld", r.Withheld)
		}
		fmt.Fprintf(s.out, ", %d not sealed yet; agrees with %d checkpoints\n", r.Pending, r.Checkpoints)
		for _, f := range r.Findings {
			fmt.Fprintln(s.out, f)
		}
		if more := r.Faults - int64(len(r.Findings)); more > 0 {
			fmt.Fprintf(s.out, "and %d more\n", more)
		}
	}
	if !r.OK() {
		fmt.Fprintf(s.err, "mandate: the audit log was tampered with or damaged: %d faults\n", r.Faults)
		return errFailedChecks
	}
	return nil
}

func printJSON(s *streams, v any) error {
	enc := json.NewEncoder(s.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

type auditCheckpoint struct{ auditStore }

// Run prints the newest checkpoint.
func (c *auditCheckpoint) Run(s *streams) error {
	return c.with(s, func(ctx context.Context, l openedLog) error {
		head, err := l.store.LedgerHead(ctx, l.tenant)
		if err != nil {
			return err
		}
		if head.Checkpoint == nil {
			return fmt.Errorf("the log of tenant %s is empty: nothing was sealed yet", l.tenant)
		}
		_, err = s.out.Write(head.Checkpoint)
		return err
	})
}

type auditKey struct {
	auditStore
	History bool `help:"Print every key that signed, with the size of the log from which on it did."`
	Proofs  bool `help:"Print the proof of each rotation: who trusts the older key comes to trust the newer one by it."`
}

// Run prints verifier keys.
func (c *auditKey) Run(s *streams) error {
	return c.with(s, func(ctx context.Context, l openedLog) error {
		switch {
		case c.Proofs:
			proofs, err := audit.ProveHandovers(ctx, l.store, l.keys)
			if err != nil {
				return err
			}
			for _, p := range proofs {
				if err := json.NewEncoder(s.out).Encode(p); err != nil {
					return err
				}
			}
		case c.History:
			w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "KEY\tCREATED\tSIGNS FROM\tANNOUNCED BY\tPUBLIC KEY")
			for i, k := range l.keys.Generations() {
				from := strconv.FormatInt(k.Signs, 10)
				if i > 0 && k.Signs == 0 {
					from = "not yet"
				}
				fmt.Fprintf(w, "v%d\t%s\t%s\t%s\t%s\n", k.Generation, k.Created.Format(time.RFC3339), from, orDash(k.Event), k.VerifierKey)
			}
			return w.Flush()
		default:
			fmt.Fprintln(s.out, l.keys.VerifierKey)
		}
		return nil
	})
}

type auditProve struct {
	auditStore
	ID string `arg:"" help:"Id of the event."`
}

// Run prints the proof of one event.
func (c *auditProve) Run(s *streams) error {
	return c.with(s, func(ctx context.Context, l openedLog) error {
		p, err := audit.Prove(ctx, l.store, l.keys, c.ID)
		if err != nil {
			return err
		}
		// Without indentation: the canonical bytes must stay as they are.
		return json.NewEncoder(s.out).Encode(p)
	})
}

type auditConsistency struct {
	auditStore
	Old int64 `arg:"" help:"Size of the older tree."`
	New int64 `arg:"" optional:"" help:"Size of the newer tree; as it is now when left out."`
}

// Run prints the proof between two sizes.
func (c *auditConsistency) Run(s *streams) error {
	return c.with(s, func(ctx context.Context, l openedLog) error {
		p, err := audit.ProveConsistency(ctx, l.store, l.tenant, c.Old, c.New)
		if err != nil {
			return err
		}
		return printJSON(s, p)
	})
}
