package registration

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/oauth"
)

// checkAddresses judges every address of a client.
func (r Rules) checkAddresses(c oauth.Client, f *Faults) {
	switch {
	case c.ForItself() && len(c.RedirectURIs) > 0:
		f.add("redirect_uris", "must be empty for a client that acts for itself")
	case !c.ForItself() && !c.DeviceFlow && !c.TokenExchange && len(c.RedirectURIs) == 0 && !r.Operator:
		f.add("redirect_uris", "is missing")
	}
	for _, one := range []struct {
		member string
		list   []string
		judge  func(string) string
	}{
		{"redirect_uris", c.RedirectURIs, func(s string) string { return r.redirect(c, s) }},
		{"launch_uris", c.LaunchURIs, r.page},
		{"post_logout_redirect_uris", c.PostLogoutRedirectURIs, func(s string) string { return r.redirect(c, s) }},
		{"allowed_origins", c.AllowedOrigins, r.origin},
	} {
		if len(one.list) > maxURIs {
			f.add(one.member, "holds more than 50 addresses")
			continue
		}
		for i, address := range one.list {
			if why := one.judge(address); why != "" {
				f.add(one.member+"["+strconv.Itoa(i)+"]", why)
			}
		}
	}
	if len(c.AllowedAddresses) > maxURIs || slices.ContainsFunc(c.AllowedAddresses, func(s string) bool {
		network, err := netip.ParsePrefix(s)
		return err != nil || network != network.Masked()
	}) {
		f.add("allowed_addresses", "must be at most 50 networks such as 192.0.2.0/24")
	}
	for _, one := range []struct{ member, address string }{
		{"client_uri", c.ClientURI}, {"logo_uri", c.LogoURI}, {"tos_uri", c.TosURI}, {"policy_uri", c.PolicyURI},
		{"backchannel_logout_uri", c.BackchannelLogoutURI},
	} {
		if one.address != "" {
			if why := r.page(one.address); why != "" {
				f.add(one.member, why)
			}
		}
	}
}

// complete reads an address that is given as a whole; why is what is wrong
// with it.
func complete(raw string) (u *url.URL, why string) {
	if len(raw) > maxURI {
		return nil, "is longer than 2000 bytes"
	}
	if strings.ContainsFunc(raw, func(c rune) bool { return c <= ' ' || c > '~' || c == '\\' || c == '"' || c == '<' || c == '>' }) {
		return nil, "holds a character that no address may hold as it stands"
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || !u.IsAbs():
		return nil, "is not a complete address"
	case strings.Contains(raw, "#"):
		return nil, "must have no fragment"
	case u.User != nil:
		return nil, "must have no user information"
	case strings.Contains(raw, "*"):
		return nil, "must have no wildcard"
	}
	return u, ""
}

// loopback reports whether an address stays on the machine (RFC 8252 §7.3).
func loopback(u *url.URL) bool {
	if u.Hostname() == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback()
}

// redirect judges a redirect URI: https, loopback for a native app, or a
// private URI scheme of one (RFC 8252 §7, SMART AZ-04).
func (r Rules) redirect(c oauth.Client, raw string) string {
	u, why := complete(raw)
	native := c.Kind == oauth.ClientPublic && c.ApplicationType != typeWeb
	switch {
	case why != "":
		return why
	case u.Scheme == "https" && u.Host != "":
		return ""
	case u.Scheme == "https":
		return "names no host"
	case u.Scheme == "http" && u.Host != "" && r.Development:
		return ""
	case u.Scheme == "http":
		if loopback(u) && (native || r.Operator) {
			return ""
		}
		return "must be https; http is for the loopback address of a native app"
	case !native:
		return "must be https"
	case hostile(u.Scheme) || !strings.Contains(u.Scheme, ".") && !r.Operator:
		return "must be https, or a private scheme such as com.example.app of a native app"
	}
	return ""
}

// hostile lists schemes that a browser would run, open or read from.
func hostile(scheme string) bool {
	switch scheme {
	case "javascript", "data", "vbscript", "file", "blob", "about", "filesystem", "view-source", "ws", "wss", "ftp", "intent", "urn", "mailto", "tel":
		return true
	}
	return false
}

// page judges an address that a browser opens.
func (r Rules) page(raw string) string {
	u, why := complete(raw)
	switch {
	case why != "":
		return why
	case u.Scheme == "https" && u.Host != "":
		return ""
	case u.Scheme == "http" && u.Host != "" && (r.Development || r.Operator && loopback(u)):
		return ""
	}
	return "must be https"
}

// origin judges a CORS origin, which has no path.
func (r Rules) origin(raw string) string {
	if why := r.page(raw); why != "" {
		return why
	}
	if u, _ := complete(raw); raw != u.Scheme+"://"+u.Host || strings.ToLower(raw) != raw {
		return "must be an origin such as https://app.example"
	}
	return ""
}
