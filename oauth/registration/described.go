package registration

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/strictjson"
	"github.com/mandate-health/mandate/oauth"
)

// Hosts are the hosts whose documents describe clients: names as app.example or
// app.example:8443, *.example for all below example, or * for every one.
type Hosts []string

// ReadHosts reads a list of hosts; the first that is none is given back.
func ReadHosts(list []string) (Hosts, string) {
	var out Hosts
	for _, text := range list {
		host := strings.ToLower(strings.TrimSpace(text))
		name := strings.TrimPrefix(host, "*.")
		u, err := url.Parse("https://" + name)
		if host != "*" && (err != nil || name == "" || u.Host != name || strings.ContainsAny(name, "*@ ")) {
			return nil, text
		}
		out = append(out, host)
	}
	return out, ""
}

// Take reports whether a client_id is the address of a document that may be
// fetched: https, or http on this machine in development.
func (h Hosts) Take(id string, development bool) bool {
	u, err := url.Parse(id)
	if err != nil || !documentAddress(id) || u.Scheme != "https" && (!development || !loopback(u)) {
		return false
	}
	host := strings.ToLower(u.Host)
	return slices.ContainsFunc(h, func(one string) bool {
		below, wild := strings.CutPrefix(one, "*.")
		return one == "*" || one == host || wild && strings.HasSuffix(host, "."+below)
	})
}

// maxAddress is the greatest length of a client_id that is an address.
const maxAddress = 512

// documentAddress reports whether a client_id is written as the address of a
// document: with a path, and without what would let two texts name one document
// (draft-ietf-oauth-client-id-metadata-document §3).
func documentAddress(id string) bool {
	if !strings.HasPrefix(id, "https://") && !strings.HasPrefix(id, "http://") || len(id) > maxAddress {
		return false
	}
	u, why := complete(id)
	if why != "" || u.Host == "" || u.Host != strings.ToLower(u.Host) || u.Path == "" || u.RawQuery != "" || u.ForceQuery {
		return false
	}
	return !slices.ContainsFunc(strings.Split(u.Path, "/"), func(part string) bool { return part == "." || part == ".." })
}

// description is the document of a client. What a document may not hold is read
// as it stands.
type description struct {
	Metadata
	ClientID      string          `json:"client_id"`
	Secret        json.RawMessage `json:"client_secret"`
	SecretExpires json.RawMessage `json:"client_secret_expires_at"`
}

// described gives the client that the document at a location describes. Errors:
// errs.InvalidRequest with code client-document-refused; the cause is the Faults
// where it has some.
func (d *Dynamic) described(location string, body []byte) (oauth.Client, error) {
	var doc description
	err := strictjson.Check(body)
	if err == nil {
		err = json.Unmarshal(body, &doc)
	}
	if err != nil {
		return oauth.Client{}, errDescription(err, "it must be one JSON object, with each member once and of the type that RFC 7591 names.")
	}
	var faults Faults
	if doc.ClientID != location {
		faults.add("client_id", "must be the address of the document, letter by letter")
	}
	if doc.Secret != nil || doc.SecretExpires != nil {
		faults.add("client_secret", "and client_secret_expires_at must not stand in a document that everybody can read")
	}
	m := doc.Metadata
	if m.AuthMethod == "" && len(m.JWKS) == 0 && m.JWKSURI == "" {
		m.AuthMethod = methodNone
	}
	if m.AuthMethod != "" && m.AuthMethod != methodNone && m.AuthMethod != methodKey {
		faults.add("token_endpoint_auth_method", "must be none or private_key_jwt")
	}
	if slices.Contains(m.GrantTypes, grantItself) {
		faults.add("grant_types", "must not hold client_credentials: a document describes an app that people use")
	}
	faults = append(faults, atHome(location, m)...)
	c, err := d.judge(oauth.Client{}, m, Rights{})
	var more Faults
	if err != nil && !errors.As(err, &more) {
		return oauth.Client{}, errDescription(err, errs.As(err).Msg)
	}
	faults = append(faults, more...)
	if err := faults.Err(); err != nil {
		return oauth.Client{}, errDescription(err, errs.As(err).Msg)
	}
	return c, nil
}

func errDescription(cause error, why string) error {
	return errs.Wrap(cause, errs.InvalidRequest, "client-document-refused", "The document of this client is refused: "+why)
}

// atHome judges that what is sent somewhere is sent to the host of the document:
// nothing else is known of who wrote it. The loopback addresses and private
// schemes of native apps are on the person's own device.
func atHome(location string, m Metadata) (f Faults) {
	home, err := url.Parse(location)
	for _, one := range []struct {
		member string
		list   []string
	}{
		{"redirect_uris", m.RedirectURIs}, {"launch_uris", m.LaunchURIs}, {"post_logout_redirect_uris", m.PostLogoutRedirectURIs},
		{"allowed_origins", m.AllowedOrigins}, {"backchannel_logout_uri", given(m.BackchannelLogoutURI)},
	} {
		for i, address := range one.list {
			u, why := complete(address)
			if why != "" || err != nil || (u.Scheme == "https" || u.Scheme == "http") && u.Host != home.Host && !loopback(u) {
				f.add(one.member+"["+strconv.Itoa(i)+"]", "must be at the host of the document")
			}
		}
	}
	return f
}

func given(address string) []string {
	if address == "" {
		return nil
	}
	return []string{address}
}
