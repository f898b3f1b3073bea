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
func reaches(asked []string, level identity.Level) bool { return level.Reaches(wished(asked)) }

// wished gives the weakest of the levels asked for that are known here, "" for none.
func wished(asked []string) identity.Level {
	known := slices.DeleteFunc(slices.Clone(asked), func(acr string) bool { return !slices.Contains(identity.Levels(), identity.Level(acr)) })
	if len(known) == 0 {
		return ""
	}
	return identity.Level(slices.Min(known))
}

// Lacks gives the level that a request whose capacity is settled needs and the log-in
// does not have, "" where nothing lacks; again says that it has the level and is too
// old.
func (s *Service) Lacks(p oauth.Pending, who Visitor) (level identity.Level, again bool) {
	have, now := who.Session.Level(), s.Clock.Now()
	need := identity.ForToken(s.Demands, who.Person, p.Capacity)
	if identity.Sufficient(s.Demands, who.Person, p.Capacity, who.Session, now) && reaches(p.Request.ACR, have) {
		return "", false
	}
	level = max(need.Level, wished(p.Request.ACR))
	return level, have != "" && have.Reaches(level)
}
