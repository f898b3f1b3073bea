package engine

import (
	"crypto/sha256"
	"sync"
)

// verifiedTokens is how many tokens a generation of verified holds: some 2 MB in
// both.
const verifiedTokens = 2048

// verified remembers what tokens say whose signature or seal was checked, as a
// resource server shows the same token with each request. That is all that it
// spares: whether a token has ended or was revoked is asked each time. Tokens are
// kept by their hash. Its zero value is ready.
type verified struct {
	mu sync.Mutex
	// young is being filled; what is full becomes old and what was old goes.
	young, old map[[sha256.Size]byte]*checked
}

// checked is what a token says. It counts as long as the keys of its tenant stay
// those of the round. It is shared: nobody may change it.
type checked struct {
	round  uint64
	claims accessClaims
}

// shownAs is what a token is kept by; tenants share no tokens.
func shownAs(tenant, raw string) [sha256.Size]byte {
	text := make([]byte, 0, 1024)
	text = append(append(append(text, tenant...), 0), raw...)
	return sha256.Sum256(text)
}

// get gives what a token says, nil when it is not known to be verified by the keys
// of the round.
func (v *verified) get(key [sha256.Size]byte, round uint64) *checked {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.young[key]
	if c == nil {
		if c = v.old[key]; c != nil {
			v.keep(key, c)
		}
	}
	if c == nil || c.round != round {
		return nil
	}
	return c
}

// put keeps what a token says that was verified by the keys of a round.
func (v *verified) put(key [sha256.Size]byte, c *checked) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keep(key, c)
}

func (v *verified) keep(key [sha256.Size]byte, c *checked) {
	if v.young == nil || len(v.young) >= verifiedTokens {
		v.old, v.young = v.young, make(map[[sha256.Size]byte]*checked)
	}
	v.young[key] = c
}
