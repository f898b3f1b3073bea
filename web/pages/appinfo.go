package pages

import (
	"net/url"

	"github.com/mandate-health/mandate/oauth"
)

// AppInfoOf says who made an app, who checked it, and of an app that is known by
// a document at its client_id only, whose host that is.
func AppInfoOf(c oauth.Client) AppInfo {
	info := AppInfo{Name: c.Name, Maker: c.Publisher, PrivacyURL: c.PolicyURI, Trust: Unverified}
	if info.Name == "" {
		info.Name = c.ID
	}
	if c.Registration.By == oauth.RegisteredByDocument {
		if u, err := url.Parse(c.ID); err == nil {
			info.Host = u.Host
		}
	}
	if !c.Verified.IsZero() {
		info.Trust, info.CheckedOn = Checked, c.Verified
	}
	return info
}
