package problem

import (
	"net/http"

	"github.com/mandate-health/mandate/internal/errs"
)

// row says how one kind looks on the wire.
type row struct {
	// status is the HTTP status, oauth that of the OAuth endpoints where RFC
	// 6749 §5.2 has another one.
	status      int
	oauthStatus int
	// oauth is the value of error in OAuth JSON.
	oauth string
	// issue is the FHIR issue-type code.
	issue string
	title string
}

// table gives the one row of each kind.
func table() map[errs.Kind]row {
	const bad = http.StatusBadRequest
	request := string(errs.InvalidRequest)
	return map[errs.Kind]row{
		errs.InvalidRequest:              {bad, 0, request, "invalid", "Invalid request"},
		errs.InvalidClient:               {http.StatusUnauthorized, 0, string(errs.InvalidClient), "login", "Client authentication failed"},
		errs.InvalidGrant:                {bad, 0, string(errs.InvalidGrant), "security", "Invalid grant"},
		errs.UnauthorizedClient:          {bad, 0, string(errs.UnauthorizedClient), "forbidden", "Client not allowed"},
		errs.UnsupportedGrantType:        {bad, 0, string(errs.UnsupportedGrantType), "not-supported", "Unsupported grant type"},
		errs.UnsupportedResponseType:     {bad, 0, string(errs.UnsupportedResponseType), "not-supported", "Unsupported response type"},
		errs.InvalidScope:                {bad, 0, string(errs.InvalidScope), "invalid", "Invalid scope"},
		errs.AccessDenied:                {http.StatusForbidden, bad, string(errs.AccessDenied), "forbidden", "Access denied"},
		errs.LoginRequired:               {http.StatusUnauthorized, bad, string(errs.LoginRequired), "login", "Sign-in needed"},
		errs.InteractionRequired:         {http.StatusForbidden, bad, string(errs.InteractionRequired), "suppressed", "Interaction needed"},
		errs.InvalidIDP:                  {bad, 0, string(errs.InvalidIDP), "invalid", "Identity provider not accepted"},
		errs.InvalidRedirectURI:          {bad, 0, string(errs.InvalidRedirectURI), "invalid", "Redirect URI not accepted"},
		errs.InvalidClientMetadata:       {bad, 0, string(errs.InvalidClientMetadata), "invalid", "Client metadata not accepted"},
		errs.InvalidSoftwareStatement:    {bad, 0, string(errs.InvalidSoftwareStatement), "invalid", "Software statement not valid"},
		errs.UnapprovedSoftwareStatement: {bad, 0, string(errs.UnapprovedSoftwareStatement), "forbidden", "Software statement not approved"},
		errs.InvalidRequestObject:        {bad, 0, string(errs.InvalidRequestObject), "invalid", "Invalid request object"},
		errs.RequestURINotSupported:      {bad, 0, string(errs.RequestURINotSupported), "not-supported", "Request by reference not supported"},
		errs.AuthorizationPending:        {bad, 0, string(errs.AuthorizationPending), "suppressed", "Not answered yet"},
		errs.SlowDown:                    {bad, 0, string(errs.SlowDown), "throttled", "Asked too often"},
		errs.ExpiredToken:                {bad, 0, string(errs.ExpiredToken), "expired", "Expired"},
		errs.InvalidTarget:               {bad, 0, string(errs.InvalidTarget), "invalid", "Unknown target"},
		errs.InvalidDPoPProof:            {http.StatusUnauthorized, bad, string(errs.InvalidDPoPProof), "login", "DPoP proof refused"},
		errs.UseDPoPNonce:                {http.StatusUnauthorized, bad, string(errs.UseDPoPNonce), "login", "DPoP nonce needed"},
		errs.Unauthenticated:             {http.StatusUnauthorized, 0, "invalid_token", "login", "Not authenticated"},
		errs.InsufficientLogIn:           {http.StatusUnauthorized, 0, string(errs.InsufficientLogIn), "login", "Log-in not sufficient"},
		errs.Forbidden:                   {http.StatusForbidden, 0, "insufficient_scope", "forbidden", "Not allowed"},
		errs.NotFound:                    {http.StatusNotFound, 0, request, "not-found", "Not found"},
		errs.Conflict:                    {http.StatusConflict, 0, request, "conflict", "Conflict"},
		errs.PreconditionFailed:          {http.StatusPreconditionFailed, 0, request, "conflict", "Changed in the meantime"},
		errs.Invalid:                     {bad, 0, request, "invalid", "Not valid"},
		errs.Unprocessable:               {http.StatusUnprocessableEntity, 0, request, "business-rule", "Refused by a rule"},
		errs.NotSupported:                {http.StatusMethodNotAllowed, 0, request, "not-supported", "Not offered"},
		errs.NotAcceptable:               {http.StatusNotAcceptable, 0, request, "not-supported", "Format not offered"},
		errs.UnsupportedMedia:            {http.StatusUnsupportedMediaType, 0, request, "not-supported", "Format not taken"},
		errs.TooLarge:                    {http.StatusRequestEntityTooLarge, 0, request, "too-long", "Too large"},
		errs.Gone:                        {http.StatusGone, 0, request, "deleted", "Gone"},
		errs.RateLimited:                 {http.StatusTooManyRequests, 0, "slow_down", "throttled", "Too many requests"},
		errs.Upstream:                    {http.StatusBadGateway, 0, string(errs.Unavailable), "transient", "The health record does not answer"},
		errs.Unavailable:                 {http.StatusServiceUnavailable, 0, string(errs.Unavailable), "transient", "Not available at the moment"},
		errs.Internal:                    {http.StatusInternalServerError, 0, string(errs.Internal), "exception", "Unexpected error"},
	}
}
