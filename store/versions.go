package store

import (
	"context"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/watch"
)

// nextVersion gives the number of the version being stored. given is what the
// caller believes it to be, 0 when it has no opinion.
func nextVersion(given, ifVersion int) (int, error) {
	next := ifVersion + 1
	if given != 0 && given != next {
		return 0, errs.New(errs.Internal, "version-out-of-step",
			"The version given is not the one after the version it replaces.")
	}
	return next, nil
}

// retire moves the newest version of a row to the table of older ones, if it
// is still ifVersion, and gives the patient whom it is about. Of concurrent
// callers the first to insert wins; the others wait for it and insert nothing.
func (p *ports) retire(ctx context.Context, table, columns, tenant, id string, ifVersion int) (patient string, err error) {
	ok, err := p.won(ctx, `INSERT INTO `+table+`_version (`+columns+`) SELECT `+columns+` FROM `+table+`
		WHERE tenant = $1 AND id = $2 AND version = $3 ON CONFLICT DO NOTHING`, tenant, id, ifVersion)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", errs.New(errs.PreconditionFailed, "version-changed", "The stored version is another one by now.")
	}
	return one(ctx, p, table, scanText, `SELECT patient FROM `+table+` WHERE tenant = $1 AND id = $2`, tenant, id)
}

func errExists(what string) error {
	return errs.New(errs.Conflict, what+"-exists", "There is a "+what+" with this id already.")
}

// bumpEpoch makes every cached decision about the patient stale, on every node
// (D7).
func (p *ports) bumpEpoch(ctx context.Context, tenant, patient string) error {
	if err := p.raiseEpoch(ctx, tenant, patient); err != nil {
		return err
	}
	return p.changed(ctx, watch.Change{Tenant: tenant, Kind: watch.Patient, Key: patient})
}

// raiseEpoch is bumpEpoch without telling anybody.
func (p *ports) raiseEpoch(ctx context.Context, tenant, patient string) error {
	return p.write(ctx, `INSERT INTO consent_epoch (tenant, patient, epoch) VALUES ($1, $2, 1)
		ON CONFLICT (tenant, patient) DO UPDATE SET epoch = consent_epoch.epoch + 1`, tenant, patient)
}

// bumpBoth bumps the patient of a new version and, when the version before was
// about somebody else, that one too.
func (p *ports) bumpBoth(ctx context.Context, tenant, patient, before string) error {
	if err := p.bumpEpoch(ctx, tenant, patient); err != nil || before == "" || before == patient {
		return err
	}
	return p.bumpEpoch(ctx, tenant, before)
}

func scanText(r Row) (s string, err error) {
	err = r.Scan(&s)
	return s, err
}
