package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"text/tabwriter"
	"time"

	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/backup"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/keys"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/store/embedded"
)

// backupCommand makes and looks after backups.
type backupCommand struct {
	Make   backupMake   `cmd:"" default:"withargs" help:"Make a backup now. Servers may go on."`
	Keygen backupKeygen `cmd:"" help:"Make the pair of keys: one for the servers, one to be kept apart."`
	List   backupList   `cmd:"" help:"List the backups of a place."`
	Drill  backupDrill  `cmd:"" help:"Restore the newest backup into a scratch store, prove that it works, and sign the evidence."`
	Verify backupVerify `cmd:"" help:"Read a whole backup and check it; with the reader key also what is inside."`
}

type backupMake struct {
	storeFlags
	asFlag
	To        string        `required:"" help:"Place for the backup: a folder, best a mounted share of another machine, or s3://BUCKET/PREFIX?region=NAME&endpoint=URL." placeholder:"PLACE"`
	Key       string        `name:"backup-key" required:"" help:"Writer key; see mandate backup keygen." placeholder:"FILE" type:"existingfile"`
	Keep      int           `name:"backup-keep" default:"0" help:"Number of newest backups that stay; 0 keeps all."`
	KeepFor   time.Duration `name:"backup-keep-for" default:"720h" help:"Time for which every backup stays (default ${default})."`
	Immutable bool          `name:"backup-immutable" help:"Make the backup immutable: chattr +i in a folder, Object Lock for backup-keep-for in an object store."`
}

// Run makes a backup. A server may have the embedded store open: it is only
// read.
func (c *backupMake) Run(s *streams) error {
	cfg, err := c.load(s)
	if err != nil {
		return err
	}
	place, err := openBackups(s.ctx, c.To, hold{c.Immutable, c.KeepFor})
	if err != nil {
		return explain(err)
	}
	key, err := backup.LoadWriter(c.Key)
	if err != nil {
		return explain(err)
	}
	st, err := openAsIs(s.ctx, cfg, nil)
	if err != nil {
		return explain(err)
	}
	defer closing(s.ctx, st, slog.New(slog.NewTextHandler(s.err, nil)))
	by, err := mayBackUp(s, cfg, st, c.As)
	if err != nil {
		return explain(err)
	}
	clk := clock.System{}
	m, err := backups{store: st, place: place, key: key, clock: clk, ids: ids.Source{}}.make(s.ctx)
	if err != nil {
		return explain(err)
	}
	fmt.Fprintf(s.out, "backup %s of %s: %d rows of %d tables, %d bytes\n%s\n", m.ID, m.Taken.Format(time.RFC3339), m.Rows, m.Tables, m.Size, m.Path)
	if err := recordBackup(s.ctx, cfg, m, by); err != nil {
		fmt.Fprintf(s.err, "mandate: the backup is not in the audit log: %v\n", explain(err))
	}
	gone, err := backup.Prune(s.ctx, place, backup.Retention{Keep: c.Keep, For: c.KeepFor}, clk.Now(), key.Verifier())
	for _, k := range gone {
		fmt.Fprintf(s.out, "deleted the old %s\n", k.Path)
	}
	return explained(err)
}

// recordBackup tells the audit log of a backup, where the log can be written:
// who makes backups needs no key of the store, and a server may have it open.
func recordBackup(ctx context.Context, cfg Config, m made, by string) error {
	clk, src := clock.System{}, ids.Source{}
	provider, err := openKeys(ctx, cfg, clk, false)
	if err != nil {
		return err
	}
	engine, err := openEngine(ctx, cfg, 0)
	if err != nil {
		return err
	}
	st := store.New(engine, store.Options{
		IDs: src, Clock: clk, Sealer: keys.NewEnvelope(keys.EnvelopeConfig{Provider: provider, Clock: clk, AcceptPlain: true}),
	})
	if err = st.OpenAllKeys(ctx); err == nil {
		e := m.event(clk.Now())
		e.PersonID = by
		err = st.AppendAudit(ctx, e)
	}
	return errors.Join(err, st.Close())
}

// mayBackUp asks for the database administrator, if operators are assigned, and
// gives the account. The store is only read: the event of the backup records who
// made it. Accounts are found by a keyed index, so where the keys are not at
// hand nobody can be looked up; what is copied there stays encrypted.
func mayBackUp(s *streams, cfg Config, st *store.Store, as string) (string, error) {
	if complete, err := atTables(s.ctx, st); err != nil || !complete {
		return "", err
	}
	need := operator.Need{Tenant: tenants.Default, As: as, Role: operator.DatabaseAdministrator, Act: "backup"}
	held, err := st.Operators(s.ctx, need.Tenant)
	if err != nil || len(held) == 0 && as == "" {
		return "", err
	}
	provider, err := openKeys(s.ctx, cfg, clock.System{}, false)
	if err != nil {
		fmt.Fprintln(s.err, "mandate: the keys are not here, so the role of database administrator is not asked for")
		return "", nil
	}
	open, err := openAsIs(s.ctx, cfg, keys.NewEnvelope(keys.EnvelopeConfig{Provider: provider, Clock: clock.System{}, AcceptPlain: true}))
	if err != nil {
		return "", err
	}
	by, err := operator.Holder(s.ctx, open, need)
	return by, errors.Join(err, open.Close())
}

// openAsIs opens a store without changing its tables. The embedded one is only
// read and may be in use by a server. No sealer means that nothing encrypted is
// read.
func openAsIs(ctx context.Context, cfg Config, sealer keys.Sealer) (*store.Store, error) {
	o := store.Options{IDs: ids.Source{}, Clock: clock.System{}, Sealer: sealer}
	if cfg.Database == "" {
		engine, err := embedded.Open(ctx, embedded.Config{Dir: cfg.Data, ReadOnly: true})
		if err != nil {
			return nil, err
		}
		return store.New(engine, o), nil
	}
	engine, err := openEngine(ctx, cfg, 0)
	if err != nil {
		return nil, err
	}
	return store.New(engine, o), nil
}

type backupKeygen struct {
	Writer string `required:"" help:"File for the writer key, which goes to the servers." placeholder:"FILE"`
	Reader string `required:"" help:"File for the reader key, which opens backups: take it off this machine." placeholder:"FILE"`
}

// Run makes the keys.
func (c *backupKeygen) Run(s *streams) error {
	w, r, err := backup.NewKeys(ids.Source{})
	if err != nil {
		return explain(err)
	}
	if err := backup.SaveReader(c.Reader, r); err != nil {
		return explain(err)
	}
	if err := backup.SaveWriter(c.Writer, w); err != nil {
		_ = os.Remove(c.Reader) // half a pair is worth nothing
		return explain(err)
	}
	fmt.Fprintf(s.out, `pair of keys %s
writer key: %s — copy it to the servers; it makes backups and cannot read them
reader key: %s — move it to where no server and no backup is, in two copies; without it every backup is lost
`, w.ID, c.Writer, c.Reader)
	return nil
}

type backupList struct {
	In   string `arg:"" help:"Folder or s3://BUCKET/PREFIX with backups." placeholder:"PLACE"`
	JSON bool   `name:"json" help:"Print as JSON."`
}

// Run lists the backups.
func (c *backupList) Run(s *streams) error {
	place, err := openBackups(s.ctx, c.In, hold{})
	if err != nil {
		return explain(err)
	}
	all, err := place.List(s.ctx)
	if err != nil {
		return explain(err)
	}
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		return e.Encode(all)
	}
	t := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "TAKEN\tBACKUP\tENGINE\tBYTES\tKEY\tFILE")
	for _, k := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%.8s\t%s\n", k.Taken.Format(time.RFC3339), k.ID, k.Engine, k.Size, k.Key, k.Path)
	}
	return t.Flush()
}

type backupVerify struct {
	From     string `arg:"" help:"A backup, a folder or s3://BUCKET/PREFIX of which the newest is taken, or with --evidence the evidence of a drill." placeholder:"FILE|PLACE"`
	Key      string `name:"backup-key" required:"" help:"Reader key to check everything, or writer key to check that nothing was changed." placeholder:"FILE" type:"existingfile"`
	Evidence bool   `help:"Check the evidence of a drill with the writer key."`
}

// Run checks a backup.
func (c *backupVerify) Run(s *streams) error {
	if c.Evidence {
		return c.evidence(s)
	}
	from, err := newest(s.ctx, c.From)
	if err != nil {
		return explain(err)
	}
	reader, err := backup.LoadReader(c.Key)
	if err == nil {
		_, total, err := examine(s.ctx, from, reader)
		if err != nil {
			return explain(err)
		}
		fmt.Fprintf(s.out, "backup %s of %s is whole: %d rows of %d tables, each sum right, signed by the writer key\n",
			from.ID, from.Taken.Format(time.RFC3339), total.Rows, total.Tables)
		return nil
	}
	writer, wrong := backup.LoadWriter(c.Key)
	if wrong != nil {
		return explain(wrong)
	}
	if err := backup.Check(s.ctx, from.place, from.Kept, writer.Verifier()); err != nil {
		return explain(err)
	}
	fmt.Fprintf(s.out, "backup %s of %s is as it was written (the signature is right; what is inside takes the reader key to check)\n",
		from.ID, from.Taken.Format(time.RFC3339))
	return nil
}

func (c *backupVerify) evidence(s *streams) error {
	writer, err := backup.LoadWriter(c.Key)
	if err != nil {
		return explain(err)
	}
	text, err := os.ReadFile(c.From)
	if err != nil {
		return fmt.Errorf("the evidence cannot be read: %w", err)
	}
	report, err := backup.CheckEvidence(text, writer.Evidence)
	if err != nil {
		return explain(err)
	}
	fmt.Fprintf(s.out, "the evidence is as the holder of the reader key signed it:\n%s\n", report)
	return nil
}
