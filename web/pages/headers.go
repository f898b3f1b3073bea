package pages

import (
	"net/http"
	"net/url"
	"strings"
)

// FormTarget gives the CSP form-action source for an app's redirect URI: its
// origin, or its scheme for a native app's private scheme. Chromium enforces
// form-action along redirects, so the consent form needs it (D9). What is no
// absolute URI, or could break out of the header, gives "".
func FormTarget(redirectURI string) string {
	u, err := url.Parse(redirectURI)
	if err != nil || u.Scheme == "" || u.User != nil {
		return ""
	}
	switch u.Scheme {
	case "http", "https":
		if u.Host == "" || strings.ContainsAny(u.Host, " ;,'\"*\t\r\n") {
			return ""
		}
		if strings.Contains(u.Host, "[") {
			return u.Scheme + ":" // CSP has no notation for IPv6 hosts
		}
		return u.Scheme + "://" + u.Host
	case "javascript", "data", "blob", "file", "about", "filesystem":
		return ""
	}
	return u.Scheme + ":"
}

// setSecurityHeaders puts on the headers of every page (SMART AZ-19). formTarget
// is one more form-action source; live adds connect-src for the page's own
// script.
func setSecurityHeaders(h http.Header, formTarget string, live bool) {
	action := "'self'"
	if formTarget != "" {
		action += " " + formTarget
	}
	csp := "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; " +
		"form-action " + action + "; frame-ancestors 'none'; base-uri 'none'"
	if live {
		csp += "; connect-src 'self'"
	}
	h.Set("Content-Security-Policy", csp)
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), "+
		"browsing-topics=(), publickey-credentials-get=(self), publickey-credentials-create=(self)")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}
