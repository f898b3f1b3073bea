package constraint

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

const (
	// span is for how long a proof may be used: what is seen must be remembered
	// as long.
	span = MaxAge + MaxSkew
	// maxSeen bounds the memory of one span, some 25 MB.
	maxSeen = 500_000
)

// Seen is the memory of one node of the proofs that came with access tokens. It
// asks no store, so that a read costs no commit; another node would take the
// same proof once more. The zero value is ready.
type Seen struct {
	mu sync.Mutex
	// now holds what came since begun, before what came in the span before.
	now, before map[[16]byte]struct{}
	begun       time.Time
}

// Note remembers a proof. Errors: errs.InvalidDPoPProof for one that was seen;
// errs.RateLimited when there are too many to be remembered, because a proof
// that is not could be used again.
func (s *Seen) Note(p Proof, now time.Time) error {
	key := [16]byte(sum(p))
	s.mu.Lock()
	defer s.mu.Unlock()
	if since := now.Sub(s.begun); s.now == nil || since >= span || since < 0 {
		s.before = s.now
		if since >= 2*span {
			s.before = nil
		}
		s.now, s.begun = map[[16]byte]struct{}{}, now
	}
	_, again := s.now[key]
	_, earlier := s.before[key]
	if again || earlier {
		return Replayed()
	}
	if len(s.now) >= maxSeen {
		return errs.New(errs.RateLimited, "dpop-proofs-many", "Too many DPoP proofs arrive at this moment.")
	}
	s.now[key] = struct{}{}
	return nil
}

func sum(p Proof) []byte {
	h := sha256.Sum256([]byte(p.Thumbprint + "\x00" + p.ID))
	return h[:16]
}

// Replayed gives the error of a proof that was used before.
func Replayed() error { return refused("dpop-proof-replayed", "it was used before") }

// Issuer gives the name under which the store keeps the proofs of a key that
// were used at the token endpoint. No client has such a name.
func Issuer(thumbprint string) string { return "dpop:" + thumbprint }
