package constraint

import (
	"encoding/base64"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// nonceSpan is how long a nonce is the newest. It is taken as long again, and
// for as long before by nodes whose clock is behind.
const nonceSpan = 5 * time.Minute

// Nonce gives the nonce of now, the same on all nodes. Nothing is stored: it is
// a keyed hash of the time (RFC 9449 §8).
func Nonce(h ids.Hasher, now time.Time) string {
	return nonceOf(h, now.Unix()/int64(nonceSpan.Seconds()))
}

func nonceOf(h ids.Hasher, window int64) string {
	at := time.Unix(window*int64(nonceSpan.Seconds()), 0).UTC()
	return base64.RawURLEncoding.EncodeToString(h.At(at).Sum("dpop-nonce", strconv.FormatInt(window, 10))[:18])
}

// Known reports whether a nonce was given out lately.
func Known(h ids.Hasher, nonce string, now time.Time) bool {
	window := now.Unix() / int64(nonceSpan.Seconds())
	for _, w := range []int64{window, window - 1, window + 1} {
		if nonce != "" && ids.Equal(nonce, nonceOf(h, w)) {
			return true
		}
	}
	return false
}

// WantNonce gives the error that asks for a nonce.
func WantNonce() error {
	return errs.New(errs.UseDPoPNonce, "dpop-nonce-wanted", "The DPoP proof needs the nonce of the DPoP-Nonce header.")
}
