package audit

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// How a generation of log keys is announced.
const (
	reasonKeysRotated = "audit-keys-rotated"
	detailPrevious    = "previous_key"
	detailNext        = "verifier_key"
	detailStarts      = "salts_from"
)

// saltsAfter is how long after its announcement a generation salts leaves:
// every node knows it by then.
const saltsAfter = 30 * time.Second

// RotationTx is the port by which log keys are rotated, in one transaction.
type RotationTx interface {
	Secrets
	Appender
}

// Rotation says who rotates the keys of which log.
type Rotation struct {
	Tenant   string
	PersonID string
	Now      time.Time
	IDs      ids.Source
}

// RotateLogKeys makes the next generation of a log's keys and announces it in
// the log. It signs once the announcement is sealed: the checkpoint behind it
// carries both signatures, so that whoever has either key can follow. Errors:
// errs.Conflict with code audit-keys-announced while the last announcement is
// not sealed, or when somebody else rotates; errs.Gone with code
// audit-keys-erased; errs.Unavailable.
func RotateLogKeys(ctx context.Context, tx RotationTx, r Rotation) (LogKey, error) {
	keys, err := OpenLogKeys(ctx, tx, r.IDs, r.Tenant)
	if err != nil {
		return LogKey{}, err
	}
	last := keys.all[len(keys.all)-1]
	switch {
	case keys.Erased():
		return LogKey{}, errErasedKeys()
	case !last.signing():
		return LogKey{}, errAnnounced()
	}
	g, err := newGeneration(ctx, tx, r.IDs, r.Tenant, last.Generation+1)
	if err != nil {
		return LogKey{}, err
	}
	g.Created, g.Starts, g.Event = r.Now, r.Now.Add(saltsAfter).Truncate(time.Microsecond), r.IDs.ID()
	added, err := tx.AddLogKey(ctx, r.Tenant, g.LogKey)
	if err == nil && !added {
		err = errAnnounced()
	}
	if err != nil {
		return LogKey{}, err
	}
	return g.LogKey, tx.AppendAudit(ctx, Event{
		ID: g.Event, Tenant: r.Tenant, Time: r.Now, Kind: KeyChanged, Action: "U", Outcome: Success, Reason: reasonKeysRotated, PersonID: r.PersonID,
		Detail: map[string]string{"kind": "audit-log", "key": "v" + strconv.Itoa(g.Generation), detailPrevious: last.VerifierKey, detailNext: g.VerifierKey,
			detailStarts: g.Starts.UTC().Format(time.RFC3339Nano)},
	})
}

func errAnnounced() error {
	return errs.New(errs.Conflict, "audit-keys-announced",
		"New keys of the audit log are announced and not sealed yet: try again in a few seconds, while a server runs.")
}

// checkKeys compares the public sides of the keys with what was announced.
func (k *LogKeys) checkKeys(records []Event) []Finding {
	var out []Finding
	say := func(event, format string, args ...any) {
		out = append(out, Finding{Fault: LogKeyChanged, Seq: -1, ID: event, Detail: fmt.Sprintf(format, args...)})
	}
	announced := map[string]Event{}
	for _, e := range records {
		// Of an erased tenant nothing is left to read but the event that says so.
		if announces(e) && e.Detail[detailNext] != "" {
			announced[e.ID] = e
		}
	}
	for _, g := range k.all {
		if g.altered {
			say(g.Event, "the row of audit_key with tenant %s and generation %d: its verifier_key is not the public half of the log's secret", k.tenant, g.Generation)
		}
	}
	for _, g := range k.all[1:] {
		e, found := announced[g.Event]
		delete(announced, g.Event)
		switch {
		case k.Erased():
		case !found:
			say(g.Event, "generation %d was not announced", g.Generation)
		case e.Detail[detailNext] != g.VerifierKey || e.Detail[detailStarts] != g.Starts.UTC().Format(time.RFC3339Nano):
			say(g.Event, "generation %d has another key or another beginning than was announced", g.Generation)
		}
	}
	for id := range announced {
		say(id, "the keys that the event announces are not there")
	}
	return out
}
