package engine

import (
	"errors"

	"github.com/ory/fosite"

	"github.com/mandate-health/mandate/internal/errs"
)

// kindOf gives the kind of an error of fosite by its RFC name.
func kindOf(name string) (errs.Kind, bool) {
	for _, k := range []errs.Kind{
		errs.InvalidRequest, errs.InvalidClient, errs.InvalidGrant, errs.UnauthorizedClient,
		errs.UnsupportedGrantType, errs.UnsupportedResponseType, errs.InvalidScope,
		errs.AccessDenied, errs.Unavailable,
	} {
		if string(k) == name {
			return k, true
		}
	}
	return errs.Internal, false
}

// translate turns an error of fosite into one of ours. A cause that the unit
// of work noted says it best; an error of ours that passed through fosite is
// given back as it was.
func (u *unit) translate(err error) error {
	var ours *errs.Error
	if errors.As(err, &ours) {
		return ours
	}
	rfc := fosite.ErrorToRFC6749Error(err)
	kind, known := kindOf(rfc.ErrorField)
	if !known {
		return errs.Wrap(err, errs.Internal, "protocol-engine", "The request could not be answered.")
	}
	if u.cause != nil && u.cause.Kind == kind {
		return u.cause
	}
	return errs.Wrap(err, kind, "protocol-refused", rfc.HintField)
}

func errCode(code, why string) *errs.Error {
	return errs.New(errs.InvalidGrant, code, "The authorization code is refused: "+why+".")
}

func errReplayedCode() *errs.Error {
	return errCode("code-replayed", "it was used before, so its grant was ended")
}

func errRefresh(code, why string) *errs.Error {
	return errs.New(errs.InvalidGrant, code, "The refresh token is refused: "+why+".")
}

func errReplayedRefresh() *errs.Error {
	return errRefresh("refresh-replayed", "it was used before, so its grant was ended")
}

// Replayed reports whether the error tells of a code or refresh token that
// was used again: the sign of theft for which the grant is ended.
func Replayed(err error) bool {
	code := errs.As(err)
	return code != nil && (code.Code == "code-replayed" || code.Code == "refresh-replayed" || code.Code == "device-code-replayed")
}
