package engine

import (
	"encoding/base64"
	"encoding/hex"
	"time"

	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
)

// A refresh token is the mark of its hash key and, in base64url, the 16 bytes of
// its grant's id, 32 bytes that are secret and 16 that prove the others to be
// ours. So the grant is found without an index on tokens, and one that was
// rotated long ago is still told from one that somebody made up, although nothing
// of it is stored any more. Of a grant whose id is not one of ours it is the
// secret alone, as every one was before.
const (
	refreshGrant  = 16
	refreshSecret = 32
	refreshProof  = 16
)

// The purposes under which refresh tokens are hashed and proven.
const (
	purposeRefresh = "refresh"
	purposeProof   = "refresh-proof"
)

// RefreshHash gives the form in which a refresh token is stored.
func RefreshHash(h ids.Hasher, token string) string { return h.Hash(purposeRefresh, token) }

// ReadRefresh gives what a presented refresh token says.
func ReadRefresh(h ids.Hasher, token string) oauth.RefreshRef {
	ref := oauth.RefreshRef{Hash: RefreshHash(h, token)}
	mark := ids.Mark(token)
	b, err := base64.RawURLEncoding.Strict().DecodeString(token[len(mark):])
	if err != nil || len(b) != refreshGrant+refreshSecret+refreshProof {
		return ref
	}
	said, proof := b[:refreshGrant+refreshSecret], b[refreshGrant+refreshSecret:]
	if ids.Equal(string(proofOf(h.Of(token), mark, said)), string(proof)) {
		ref.GrantID = hex.EncodeToString(said[:refreshGrant])
	}
	return ref
}

// names reports whether a refresh token of ours names its grant; whether it is
// ours is not asked.
func names(token string) bool {
	return base64.RawURLEncoding.DecodedLen(len(token)-len(ids.Mark(token))) == refreshGrant+refreshSecret+refreshProof
}

// proofOf proves what a refresh token says, under the one key of its mark.
func proofOf(h ids.Hasher, mark string, said []byte) []byte {
	return h.Sum(purposeProof, mark+string(said))[:refreshProof]
}

// makeRefresh puts a refresh token together under one key. It names its grant
// unless grantID is "".
func makeRefresh(h ids.Hasher, grantID string, secret []byte) string {
	said, err := hex.DecodeString(grantID)
	if err != nil || len(said) != refreshGrant || hex.EncodeToString(said) != grantID {
		return h.Mark() + base64.RawURLEncoding.EncodeToString(secret)
	}
	said = append(said, secret...)
	return h.Mark() + base64.RawURLEncoding.EncodeToString(append(said, proofOf(h, h.Mark(), said)...))
}

// firstRefresh makes the first refresh token of a grant at random.
func (e *Engine) firstRefresh(h ids.Hasher, grantID string) string {
	if e.unnamed() {
		grantID = ""
	}
	return makeRefresh(h.At(time.Time{}), grantID, e.IDs.Bytes(refreshSecret))
}

// unnamed says that codes and refresh tokens must not name their grant yet.
func (e *Engine) unnamed() bool { return e.Named != nil && !e.Named() }

// Successors gives both forms of the refresh token that follows a presented one:
// the one that names its grant, and the one that a node of the version before
// gives out.
func Successors(h ids.Hasher, grantID, presented string, rotated time.Time) [2]string {
	return [2]string{successor(h, grantID, presented, rotated, true), successor(h, grantID, presented, rotated, false)}
}

// successor gives the refresh token that follows the presented one in its
// family, the grant, when it is rotated at a time. It is derived and not random,
// so that a retry gets the same one although nothing readable was stored (D2),
// also when the hash key was replaced since.
func successor(h ids.Hasher, grantID, presented string, rotated time.Time, named bool) string {
	h = h.At(rotated)
	family := ids.Hasher{Key: h.Sum("refresh-family", grantID)}
	if !named {
		grantID = ""
	}
	return makeRefresh(h, grantID, family.Sum("refresh-successor", presented))
}
