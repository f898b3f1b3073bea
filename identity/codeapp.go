package identity

import (
	"context"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

const (
	purposeCodeApp = "code-app"
	// maxCodeApps is how many authenticator apps an account may have.
	maxCodeApps = 5
)

// CodeApp is an authenticator app that is being set up.
type CodeApp struct {
	// Secret is base32.
	Secret string
	// QR is the QR code as a PNG.
	QR []byte
	// Proof comes back with Secret: it was given to this browser and session.
	Proof string
}

// BeginCodeApp gives the secret of a new authenticator app. It is stored only when
// a code shows that the app has it. Errors: errs.Unauthenticated with code
// session-ended or step-up-needed; errs.Unavailable.
func (s *Service) BeginCodeApp(ctx context.Context, tenant, secret, binding string) (CodeApp, error) {
	now := s.now()
	who, err := s.manage(ctx, s.d.Store, tenant, secret, now)
	if err != nil {
		return CodeApp{}, err
	}
	app := CodeApp{Secret: s.d.Codes.NewSecret(s.d.IDs)}
	app.Proof = s.newChallenge(purposeCodeApp, binding+"."+app.Secret, now)
	app.QR, err = s.d.Codes.QR(s.d.Codes.URI(who.person.Username, app.Secret))
	return app, err
}

// CodeAppAgain gives what is shown of an app whose code was wrong. Errors: as
// AddCodeApp.
func (s *Service) CodeAppAgain(ctx context.Context, tenant, secret, binding string, app CodeApp) (CodeApp, error) {
	now := s.now()
	who, err := s.manage(ctx, s.d.Store, tenant, secret, now)
	if err != nil {
		return CodeApp{}, err
	}
	if _, err := s.challengeEnd(purposeCodeApp, binding+"."+app.Secret, app.Proof, now); err != nil {
		return CodeApp{}, err
	}
	app.QR, err = s.d.Codes.QR(s.d.Codes.URI(who.person.Username, app.Secret))
	return app, err
}

// AddCodeApp enrols an authenticator app that shows the right code (SM-04); that
// code is used up. Errors: errs.Unauthenticated with code session-ended,
// step-up-needed, code-refused, challenge-late or challenge-foreign; errs.Invalid
// with code factor-name; errs.Conflict with code factors-many; errs.Unavailable.
func (s *Service) AddCodeApp(ctx context.Context, tenant, secret, binding, name, code string, app CodeApp, m Meta) error {
	now := s.now()
	name, err := factorName(name)
	if err != nil {
		return err
	}
	end, err := s.challengeEnd(purposeCodeApp, binding+"."+app.Secret, app.Proof, now)
	if err != nil {
		return err
	}
	step, right, err := s.d.Codes.Check([]byte(app.Secret), code, now)
	if err != nil {
		return err
	}
	if !right {
		return codeRefused("code-wrong")
	}
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		who, err := s.manage(ctx, tx, tenant, secret, now)
		if err != nil {
			return err
		}
		apps := 0
		for _, f := range who.factors {
			if f.Kind == FactorTOTP {
				apps++
			}
		}
		if apps >= maxCodeApps {
			return errs.New(errs.Conflict, "factors-many", "This account has as many authenticators as it may have.")
		}
		if err := s.spend(ctx, tx, tenant, app.Proof, end); err != nil {
			return err
		}
		f := Factor{
			Tenant: tenant, ID: s.d.IDs.ID(), PersonID: who.person.ID, Kind: FactorTOTP, Secret: []byte(app.Secret),
			Counter: step, Created: now, Name: name,
		}
		if err := tx.AddFactor(ctx, f); err != nil {
			return err
		}
		return s.factorChanged(ctx, tx, change{kind: audit.FactorAdded, factor: f, outcome: audit.Success, meta: m, session: who.session.Hash}, now)
	})
}
