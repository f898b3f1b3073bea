package oauth

import (
	"crypto/sha256"
	"encoding/base64"
)

// SessionID gives the sid by which apps know a log-in session: from the hash that
// is stored of it, and not the other way.
func SessionID(sessionHash string) string {
	if sessionHash == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("sid:" + sessionHash))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
