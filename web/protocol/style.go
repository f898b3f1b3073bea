package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
)

// StylePath is the address of a style. It changes with the content (SMART
// CTX-12).
func StylePath(style map[string]string) string {
	// A map of strings always encodes, with sorted keys.
	b, _ := json.Marshal(style)
	sum := sha256.Sum256(b)
	return "/smart-style-" + hex.EncodeToString(sum[:6]) + ".json"
}

// Style serves a style to any origin.
func Style(style map[string]string) http.Handler { return document(style) }
