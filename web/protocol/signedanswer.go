package protocol

import (
	"mime"
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine"
	"github.com/mandate-health/mandate/web/problem"
)

// mediaIntrospection is what a client accepts that wants a signed answer
// (RFC 9701 §4).
const mediaIntrospection = "application/token-introspection+jwt"

// tell answers an introspection: signed for who asks so, as JSON for everybody
// else, whatever else Accept says.
func (d Deps) tell(w http.ResponseWriter, r *http.Request, site engine.Site, caller oauth.Client, answer engine.Introspection) {
	w.Header().Add("Vary", "Accept")
	if !wantsSigned(r) {
		send(w, answer)
		return
	}
	signed, err := d.Engine.SignIntrospection(r.Context(), site, caller, answer)
	if err != nil {
		d.Problem.OAuth(w, r, err)
		return
	}
	problem.NoStore(w)
	w.Header().Set("Content-Type", mediaIntrospection)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte(signed)) //nolint:gosec // a JWT that this server signed, under a media type that no browser renders
}

// wantsSigned reports whether the media type is named, and not with q=0.
func wantsSigned(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(line, ",") {
			media, params, err := mime.ParseMediaType(part)
			if err == nil && media == mediaIntrospection && !zero(params["q"]) {
				return true
			}
		}
	}
	return false
}

// zero reports whether a weight says "not at all".
func zero(q string) bool { return q != "" && strings.Trim(q, "0.") == "" }
