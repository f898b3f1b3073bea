package flow

import (
	"slices"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/oauth"
)

// defaults fills in what the client registered about the log-in and the request
// does not say (OIDC Dynamic Client Registration §2).
func defaults(req *oauth.AuthorizeRequest, c oauth.Client) {
	if req.MaxAge < 0 && c.DefaultMaxAge > 0 {
		req.MaxAge = c.DefaultMaxAge
	}
	if len(req.ACR) == 0 {
		req.ACR = c.DefaultACR
	}
}

// reaches reports whether a log-in satisfies acr_values: the weakest of the
// levels that are known here. Unknown ones ask for nothing, because the
// parameter is a wish (OIDC Core §3.1.2.1); acr in the tokens tells the truth.
func reaches(asked []string, level identity.Level) bool {
	known := slices.DeleteFunc(slices.Clone(asked), func(acr string) bool { return !slices.Contains(identity.Levels(), identity.Level(acr)) })
	return len(known) == 0 || level.Reaches(identity.Level(slices.Min(known)))
}
