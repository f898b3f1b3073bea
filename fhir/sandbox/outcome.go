package sandbox

import (
	"fmt"
	"net/http"
)

// fault is a refusal: an HTTP status, a code of the issue-type value set and
// a text for the developer who reads it.
type fault struct {
	status int
	code   string
	text   string
}

func (f *fault) Error() string { return f.text }

func refuse(status int, code, format string, args ...any) error {
	return &fault{status, code, fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return refuse(http.StatusBadRequest, "invalid", format, args...)
}

func notFound(format string, args ...any) error {
	return refuse(http.StatusNotFound, "not-found", format, args...)
}

func notSupported(format string, args ...any) error {
	return refuse(http.StatusBadRequest, "not-supported", format, args...)
}

func preconditionFailed(format string, args ...any) error {
	return refuse(http.StatusPreconditionFailed, "conflict", format, args...)
}

// outcome renders an OperationOutcome with one issue.
func outcome(severity, code, text string) []byte {
	b := []byte(`{"resourceType":"OperationOutcome","issue":[{"severity":`)
	b = appendQuoted(b, severity)
	b = appendQuoted(append(b, `,"code":`...), code)
	b = appendQuoted(append(b, `,"diagnostics":`...), text)
	return append(b, `}]}`...)
}
