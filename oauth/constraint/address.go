package constraint

import (
	"net/url"
	"slices"
	"strings"
)

// meant reports whether an htu is one of the addresses, after the
// normalisation of RFC 3986 §6.2.2 and §6.2.3 (RFC 9449 §4.3). Query and
// fragment of either side are passed over.
func meant(htu string, addresses []string) bool {
	told, ok := place(htu)
	return ok && slices.ContainsFunc(addresses, func(a string) bool {
		own, ok := place(a)
		return ok && own == told
	})
}

// place gives an address in one form: lower-case scheme and host, no default
// port, no dot segments, and escapes only where they matter.
func place(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme = strings.ToLower(u.Scheme); u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return "", false
	}
	segments := strings.Split(u.EscapedPath(), "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil || plain == "." || plain == ".." {
			return "", false
		}
		segments[i] = url.PathEscape(plain)
	}
	path := strings.Join(segments, "/")
	if path == "" {
		path = "/"
	}
	return u.Scheme + "://" + host + path, true
}
