package engine

import (
	"github.com/mandate-health/mandate/internal/errs"
)

func errCode(code, why string) *errs.Error {
	return errs.New(errs.InvalidGrant, code, "The authorization code is refused: "+why+".")
}

func errReplayedCode() *errs.Error {
	return errCode("code-replayed", "it was used before, so its grant was ended")
}

func errRefresh(code, why string) *errs.Error {
	return errs.New(errs.InvalidGrant, code, "The refresh token is refused: "+why+".")
}

// errRefreshMoved tells that the refresh token was taken for the newest of a
// standing grant, and is not. Who asks the store itself finds out what it is.
func errRefreshMoved() *errs.Error {
	return errRefresh("refresh-moved", "it was used by another request at the same time")
}

// RefreshMoved reports whether the error is that one.
func RefreshMoved(err error) bool {
	code := errs.As(err)
	return code != nil && code.Code == "refresh-moved"
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

// errNotForIt refuses a client for which the grant type is not meant.
func errNotForIt() *errs.Error {
	return errs.New(errs.UnauthorizedClient, "grant-type-not-registered", "This client is not registered for this grant type.")
}
