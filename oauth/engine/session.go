package engine

import (
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/token/jwt"
)

// The optional interface that fosite looks for; without it id_tokens would
// fail at run time only.
var _ openid.Session = (*session)(nil)

// session is what fosite passes around as the state of a grant. Every end in
// it comes from the unit of work, that is from the grant and our clock: what
// fosite computes from its own clock is ignored.
type session struct {
	unit    *unit
	claims  *jwt.IDTokenClaims
	headers *jwt.Headers
}

// newSession leaves auth_time out of fosite's claims, because fosite would
// compare it with its own clock; the id_token takes it from the grant.
func newSession(u *unit, subject string) *session {
	return &session{unit: u, claims: &jwt.IDTokenClaims{Subject: subject}, headers: &jwt.Headers{}}
}

// SetExpiresAt does nothing.
func (s *session) SetExpiresAt(fosite.TokenType, time.Time) {}

// GetExpiresAt gives the ends that the unit of work knows.
func (s *session) GetExpiresAt(key fosite.TokenType) time.Time { return s.unit.ends(key) }

// GetUsername gives nothing: names are no business of the protocol.
func (s *session) GetUsername() string { return "" }

// GetSubject gives the sub of every token.
func (s *session) GetSubject() string { return s.claims.Subject }

// Clone gives the same session: a unit of work serves one request only.
func (s *session) Clone() fosite.Session { return s }

// IDTokenClaims gives the claims that fosite fills (subject and at_hash).
func (s *session) IDTokenClaims() *jwt.IDTokenClaims { return s.claims }

// IDTokenHeaders gives the empty headers: the ring writes its own.
func (s *session) IDTokenHeaders() *jwt.Headers { return s.headers }
