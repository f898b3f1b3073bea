package factors

import (
	"context"
	"net/http"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/web/pages"
)

// Codes is what the pages need of identity.Service for authenticator apps,
// recovery codes and the password.
type Codes interface {
	BeginCodeApp(ctx context.Context, tenant, secret, binding string) (identity.CodeApp, error)
	CodeAppAgain(ctx context.Context, tenant, secret, binding string, app identity.CodeApp) (identity.CodeApp, error)
	AddCodeApp(ctx context.Context, tenant, secret, binding, name, code string, app identity.CodeApp, m identity.Meta) error
	ChangePassword(ctx context.Context, tenant, secret, password string, m identity.Meta) error
	NewRecoveryCodes(ctx context.Context, tenant, secret string, m identity.Meta) ([]string, error)
}

func (v visit) addApp() {
	app, err := v.Codes.BeginCodeApp(v.r.Context(), v.tenant(), v.secret(), v.binding())
	v.showApp(http.StatusOK, app, err)
}

func (v visit) showApp(status int, app identity.CodeApp, err error, e ...pages.FieldError) {
	if err != nil {
		v.fail(err)
		return
	}
	v.draw(status, pages.AddCodeApp{
		Frame: v.frame(v.onward(Path), e...), Action: v.Session.Path(v.onward(appPath)), Secret: app.Secret, Proof: app.Proof, QR: app.QR,
		Name: v.r.PostFormValue("name"),
	})
}

// addedApp takes the first code. A page that was open too long begins anew.
func (v visit) addedApp() {
	field := v.r.PostFormValue
	app := identity.CodeApp{Secret: field("secret"), Proof: field("proof")}
	err := v.Codes.AddCodeApp(v.r.Context(), v.tenant(), v.secret(), v.binding(), field("name"), words.PlainDigits(field("code")), app, v.meta())
	again := func(e pages.FieldError) {
		app, err := v.Codes.CodeAppAgain(v.r.Context(), v.tenant(), v.secret(), v.binding(), app)
		v.showApp(http.StatusBadRequest, app, err, e)
	}
	switch code := codeOf(err); code {
	case "":
		v.enrolled()
	case "code-refused":
		again(pages.FieldError{Field: "code", Key: pages.ErrCode})
	case "factor-name":
		again(pages.FieldError{Field: "name", Key: pages.ErrFactorName})
	case "challenge-late", "challenge-foreign", "challenge-replayed":
		app, err := v.Codes.BeginCodeApp(v.r.Context(), v.tenant(), v.secret(), v.binding())
		v.showApp(http.StatusBadRequest, app, err, pages.FieldError{Key: pages.ErrExpiredForm})
	default:
		v.fail(err)
	}
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return errs.As(err).Code
}

func (v visit) askCodes() {
	all, err := v.Accounts.ManagedFactors(v.r.Context(), v.tenant(), v.secret())
	if err != nil {
		v.fail(err)
		return
	}
	p := pages.RecoveryCodes{Frame: v.frame(Path), Action: v.Session.Path(codesPath)}
	for _, f := range all {
		p.Left += f.RecoveryLeft()
	}
	v.draw(http.StatusOK, p)
}

// codes shows the new codes; they are in no other answer, so there is nothing that
// a redirect could lead to.
func (v visit) codes() {
	made, err := v.Codes.NewRecoveryCodes(v.r.Context(), v.tenant(), v.secret(), v.meta())
	if err != nil {
		v.fail(err)
		return
	}
	v.draw(http.StatusOK, pages.RecoveryCodes{Frame: v.frame(Path), Action: v.Session.Path(codesPath), Codes: made})
}

// password asks for another one, unless it is kept elsewhere.
func (v visit) password() {
	all, err := v.Accounts.ManagedFactors(v.r.Context(), v.tenant(), v.secret())
	if err == nil {
		err = identity.MayChoosePassword(all)
	}
	if err != nil {
		v.fail(err)
		return
	}
	v.showPassword(http.StatusOK)
}

func (v visit) showPassword(status int, e ...pages.FieldError) {
	v.draw(status, pages.ChangePassword{Frame: v.frame(Path, e...), Action: v.Session.Path(passwordPath)})
}

func (v visit) newPassword() {
	fresh := v.r.PostFormValue("password")
	if fresh != v.r.PostFormValue("again") {
		v.showPassword(http.StatusBadRequest, pages.FieldError{Field: "again", Key: pages.ErrPasswordAgain})
		return
	}
	err := v.Codes.ChangePassword(v.r.Context(), v.tenant(), v.secret(), fresh, v.meta())
	key := pages.PasswordFault(codeOf(err))
	switch {
	case err == nil:
		v.goTo(Path + "?done=saved")
	case key != "":
		v.showPassword(http.StatusBadRequest, pages.FieldError{Field: "password", Key: key})
	default:
		v.fail(err)
	}
}
