package store

import (
	"context"

	"github.com/mandate-health/mandate/consent"
)

func scanVersion(r Row) (v consent.VersionRef, err error) {
	err = r.Scan(&v.ID, &v.Version, into(&v.Updated))
	return v, err
}

// ConsentVersions implements consent.Versions.
func (p *ports) ConsentVersions(ctx context.Context, tenant, patient string, after consent.VersionRef, limit int) ([]consent.VersionRef, error) {
	const part = ` WHERE tenant = $1 AND ($2 = '' OR patient = $2) AND kind <> $3
		AND id >= $4 AND (id > $4 OR version > $5) ORDER BY id, version LIMIT $6`
	return list(ctx, p, scanVersion,
		`SELECT id, version, updated FROM (SELECT id, version, updated FROM consent`+part+`) AS newest
		UNION ALL SELECT id, version, updated FROM (SELECT id, version, updated FROM consent_version`+part+`) AS older
		ORDER BY id, version LIMIT $6`,
		tenant, patient, string(consent.KindAppApproval), after.ID, after.Version, limit)
}
