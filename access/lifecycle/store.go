package lifecycle

import (
	"context"
	"time"
)

// Ends is the port of the package: what ends with an access.
type Ends interface {
	// EndAccess revokes what apps were granted by a person who acts for a patient,
	// for any patient when patient is "", and gives how many there were. Errors:
	// errs.Unavailable.
	EndAccess(ctx context.Context, tenant, person, patient, reason string, t time.Time) (int, error)
}
