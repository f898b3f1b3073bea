package lifecycle

import (
	"context"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// fits refuses an access that must not begin, or go on, after what has happened to the
// patient, whoever asks for it and on whatever way (TR-32, TR-47):
//
//   - the powers of agents, guardians and parents, and what the patient agreed to, end
//     with the patient's life; those of an executor begin there (RC-06);
//   - while two clinicians find that the patient cannot decide, what the patient agrees
//     to lets nobody in. To let people in less stays open to every patient.
//
// Errors: errs.Forbidden with code proxy-patient-lives, proxy-patient-died or
// proxy-cannot-decide.
func (s *Service) fits(ctx context.Context, tx Tx, c *proxy.Case) error {
	all, err := tx.CasesOfPatient(ctx, s.Tenant, c.Patient)
	if err != nil {
		return err
	}
	died, unable := false, false
	for _, o := range all {
		died = died || o.DeathNoted()
		unable = unable || o.Unable(s.now())
	}
	executor := c.Authority.Kind == "EXCEST"
	switch {
	case executor && !died:
		return errs.New(errs.Forbidden, "proxy-patient-lives", "An executor has access only after a death that two members of staff have noted.")
	case died && !executor:
		return errs.New(errs.Forbidden, "proxy-patient-died", "A death was noted: only an executor can begin.")
	case unable && c.Basis == proxy.BasisDesignated:
		return errs.New(errs.Forbidden, "proxy-cannot-decide", "Two clinicians find that the patient cannot decide now.")
	}
	return nil
}
