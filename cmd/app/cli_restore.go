package app

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir/codec"
	"github.com/mandate-health/mandate/internal/backup"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/keys"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/store"
)

// restoreLimit bounds one transaction of a restore, which loads everything in
// one.
const restoreLimit = 12 * time.Hour

type restoreCommand struct {
	storeFlags
	From       string `required:"" help:"A backup, or a folder or s3://BUCKET/PREFIX of which the newest is taken." placeholder:"FILE|PLACE"`
	Key        string `name:"backup-key" required:"" help:"Reader key of the pair." placeholder:"FILE" type:"existingfile"`
	Journal    string `name:"revocation-journal" help:"Place of the revocation journal: a folder or s3://BUCKET/PREFIX." placeholder:"PLACE"`
	LostAt     string `name:"lost-at" help:"When the store or its servers were lost, such as 2026-11-22T16:04:00Z: the journal must reach that far." placeholder:"TIME"`
	Everything bool   `name:"revoke-everything" help:"Go without the journal: end every grant, log-in and refresh token, and withdraw every Consent that lets somebody in."`
}

// Run restores into the new store that --data or --database names.
func (c *restoreCommand) Run(s *streams) error {
	cfg, err := c.load(s)
	if err != nil {
		return err
	}
	lost := time.Time{}
	if c.LostAt != "" {
		if lost, err = time.Parse(time.RFC3339, c.LostAt); err != nil {
			return fmt.Errorf("--lost-at %q is not a time such as 2026-11-22T16:04:00Z", c.LostAt)
		}
	}
	key, err := backup.LoadReader(c.Key)
	if err != nil {
		return explain(err)
	}
	from, err := newest(s.ctx, c.From)
	if err != nil {
		return explain(err)
	}
	clk, src := clock.System{}, ids.Source{}
	empty, err := openToRestore(s.ctx, cfg, clk, src)
	if err != nil {
		return explain(err)
	}
	st := empty.store
	defer closing(s.ctx, st, slog.New(slog.NewTextHandler(s.err, nil)))
	validator, err := codec.New()
	if err != nil {
		return err
	}
	began := clk.Now()
	done, err := restoring{
		from: from, key: key, store: st, clock: clk, journal: c.Journal, lost: lost, everything: c.Everything,
		rooms: newRooms(st, validator, clk, src),
		step:  func(step string) { fmt.Fprintf(s.err, "%6.1f s  %s\n", clk.Now().Sub(began).Seconds(), step) },
	}.run(s.ctx)
	if err != nil {
		return explain(err)
	}
	if err := st.AppendAudit(s.ctx, done.event(from, clk.Now(), c.Everything)); err != nil {
		return explain(err)
	}
	done.print(s, from, clk.Now().Sub(began), restoreAsked{everything: c.Everything, lost: lost})
	return nil
}

// emptyStore is a store to restore into, with what encrypts it.
type emptyStore struct {
	store    *store.Store
	provider keys.Provider
	envelope *keys.Envelope
}

// openToRestore opens a new, empty store. Nothing of it is migrated yet. The
// keys must be those of the store that was backed up: none are made.
func openToRestore(ctx context.Context, cfg Config, clk clock.Clock, src ids.Source) (e emptyStore, err error) {
	if e.provider, err = openKeys(ctx, cfg, clk, false); err != nil {
		return e, err
	}
	engine, err := openEngine(ctx, cfg, restoreLimit)
	if err != nil {
		return e, err
	}
	e.envelope = keys.NewEnvelope(keys.EnvelopeConfig{Provider: e.provider, Clock: clk})
	e.store = store.New(engine, store.Options{IDs: src, Clock: clk, Sealer: e.envelope})
	return e, nil
}

// event tells the restored store's own audit log.
func (r restored) event(from chosen, now time.Time, everything bool) audit.Event {
	detail := map[string]string{
		"backup": from.ID, "taken": from.Taken.Format(time.RFC3339), "revoked-again": fmt.Sprint(r.Replayed.Applied),
	}
	if everything {
		detail["revoke-everything"] = "true"
	} else {
		detail["journal-until"] = r.Until.Format(time.RFC3339)
	}
	return audit.Event{Tenant: tenants.Default, Time: now, Kind: audit.StoreRestored, Action: "E", Outcome: audit.Success, Detail: detail}
}

// restoreAsked is what the operator asked for.
type restoreAsked struct {
	everything bool
	lost       time.Time
}

// print tells a person what was done and what is left to do.
func (r restored) print(s *streams, from chosen, took time.Duration, asked restoreAsked) {
	fmt.Fprintf(s.out, "restored backup %s of %s: %d rows of %d tables in %.1f s\n",
		from.ID, from.Taken.Format(time.RFC3339), r.Total.Rows, r.Total.Tables, took.Seconds())
	if asked.everything {
		fmt.Fprintf(s.out, "every grant, log-in and refresh token has ended; %d Consents are withdrawn\n"+
			"not known without the journal: accounts and clients disabled, passwords changed and prohibitions filed since; check them by hand\n", r.Replayed.Applied)
	} else {
		fmt.Fprintf(s.out, "revoked again: %d of the %d revocations since the backup changed something; the journal reaches to %s\n",
			r.Replayed.Applied, r.Replayed.Entries, r.Until.Format(time.RFC3339))
		if asked.lost.IsZero() {
			fmt.Fprintln(s.out, "compare that time with the moment of the loss: what was revoked later is not in the journal (--lost-at checks it)")
		}
	}
	fmt.Fprintln(s.out, "every app has to ask again: codes, refresh tokens and access tokens of before have ended")
	if len(r.Replayed.Held) > 0 {
		fmt.Fprintf(s.out, "a prohibition of these patients was lost; everybody else is kept out until they were asked: %s\n", strings.Join(r.Replayed.Held, " "))
	}
	if len(r.Replayed.Factors) > 0 {
		fmt.Fprintf(s.out, "these accounts changed a password or second factor since and need a new one: %s\n", strings.Join(r.Replayed.Factors, " "))
	}
	if len(r.Replayed.Operators) > 0 {
		fmt.Fprintf(s.out, "these accounts lost an operator role again; see who is left with mandate operator list: %s\n", strings.Join(r.Replayed.Operators, " "))
	}
	if len(r.Open) > 0 {
		fmt.Fprintf(s.out, "these segments of the journal have no end, as after a loss: %s\n", strings.Join(r.Open, " "))
	}
	if wait := r.Opens.Sub(clock.System{}.Now()); wait > 0 {
		fmt.Fprintf(s.out, "a server started now waits until %s before it answers\n", r.Opens.Format(time.RFC3339))
	}
}
