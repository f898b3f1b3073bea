package errs

import "errors"

// Kind is the class of a failure. web/problem maps each kind to one OAuth
// error, one OperationOutcome issue code, one HTTP status and one page.
type Kind string

// The kinds. Those with an OAuth name follow RFC 6749 §4.1.2.1 and §5.2.
const (
	InvalidRequest          Kind = "invalid_request"
	InvalidClient           Kind = "invalid_client"
	InvalidGrant            Kind = "invalid_grant"
	UnauthorizedClient      Kind = "unauthorized_client"
	UnsupportedGrantType    Kind = "unsupported_grant_type"
	UnsupportedResponseType Kind = "unsupported_response_type"
	InvalidScope            Kind = "invalid_scope"
	AccessDenied            Kind = "access_denied"
	LoginRequired           Kind = "login_required"
	InteractionRequired     Kind = "interaction_required"
	// Of RFC 9101 §7 and OIDC Core §3.1.2.6.
	InvalidRequestObject   Kind = "invalid_request_object"
	RequestURINotSupported Kind = "request_uri_not_supported"
	// InvalidTarget: the token is asked for another resource (RFC 8693 §2.2.2,
	// RFC 8707 §2).
	InvalidTarget Kind = "invalid_target"

	// What a polling device is told (RFC 8628 §3.5).
	AuthorizationPending Kind = "authorization_pending"
	SlowDown             Kind = "slow_down"
	ExpiredToken         Kind = "expired_token"
	// InvalidDPoPProof and UseDPoPNonce are those of RFC 9449 §12.2.
	InvalidDPoPProof Kind = "invalid_dpop_proof"
	UseDPoPNonce     Kind = "use_dpop_nonce"
	// InvalidIDP: an identity provider that is not trusted (UDAP tiered OAuth).
	InvalidIDP Kind = "invalid_idp"

	// Registration of clients (RFC 7591 §3.2.2).
	InvalidRedirectURI          Kind = "invalid_redirect_uri"
	InvalidClientMetadata       Kind = "invalid_client_metadata"
	InvalidSoftwareStatement    Kind = "invalid_software_statement"
	UnapprovedSoftwareStatement Kind = "unapproved_software_statement"

	// Unauthenticated: no or no valid credential (HTTP 401).
	Unauthenticated Kind = "unauthenticated"
	// InsufficientLogIn: the person must log in again, more strongly or anew
	// (RFC 9470, HTTP 401).
	InsufficientLogIn Kind = "insufficient_user_authentication"
	// Forbidden: known, but not allowed (HTTP 403).
	Forbidden Kind = "forbidden"
	// NotFound: absent, or hidden and told as absent (HTTP 404).
	NotFound Kind = "not_found"
	// Conflict: a concurrent change won, or a unique value exists (HTTP 409).
	Conflict Kind = "conflict"
	// PreconditionFailed: If-Match or a conditional matched otherwise (412).
	PreconditionFailed Kind = "precondition_failed"
	// Invalid: a body that does not meet its specification (HTTP 400).
	Invalid Kind = "invalid"
	// Unprocessable: well-formed, refused by a business rule (HTTP 422).
	Unprocessable Kind = "unprocessable"
	// NotSupported: a method or interaction that is not offered (HTTP 405).
	NotSupported Kind = "not_supported"
	// NotAcceptable: a representation that is not offered (HTTP 406).
	NotAcceptable Kind = "not_acceptable"
	// UnsupportedMedia: a body in a format that is not taken (HTTP 415).
	UnsupportedMedia Kind = "unsupported_media_type"
	// TooLarge: over a documented limit (HTTP 413).
	TooLarge Kind = "too_large"
	// Gone: existed and has ended (HTTP 410).
	Gone Kind = "gone"
	// RateLimited: too many tries (HTTP 429).
	RateLimited Kind = "rate_limited"
	// Upstream: the FHIR server behind Mandate failed (HTTP 502).
	Upstream Kind = "upstream"
	// Unavailable: store or another part is down for the moment (HTTP 503).
	Unavailable Kind = "temporarily_unavailable"
	// Internal: a fault of Mandate's own (HTTP 500).
	Internal Kind = "server_error"
)

// Error is a failure with a kind, a stable cause code (kebab-case, never
// reworded once released) and a sentence for a developer. Msg must not hold
// PHI, tokens or secrets; Cause is for logs only and never reaches the wire.
type Error struct {
	Kind  Kind
	Code  string
	Msg   string
	Cause error
}

// Error gives "kind/code: sentence", without the cause.
func (e *Error) Error() string {
	return string(e.Kind) + "/" + e.Code + ": " + e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New makes an Error without a cause.
func New(kind Kind, code, msg string) *Error {
	return &Error{Kind: kind, Code: code, Msg: msg}
}

// Wrap makes an Error that keeps its cause for the log.
func Wrap(cause error, kind Kind, code, msg string) *Error {
	return &Error{Kind: kind, Code: code, Msg: msg, Cause: cause}
}

// As gives the Error in err's chain, or an Internal one that keeps err as its
// cause. It returns nil only for a nil err.
func As(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Wrap(err, Internal, "unexpected", "An unexpected error occurred.")
}

// KindOf gives the kind of err, Internal for errors of unknown origin and ""
// for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	return As(err).Kind
}

// Is reports whether err has the kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }
