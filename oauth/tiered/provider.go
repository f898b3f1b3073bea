package tiered

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/mandate-health/mandate/identity/federation/openid"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/shelf"
	"github.com/mandate-health/mandate/oauth/udap"
)

// The limits of what is kept of providers: how many and how long their names are, for how long one that is
// trusted and one that is not, and for how long this server counts as registered
// there.
const (
	maxProviders = 256
	maxKeptBytes = 1 << 20
	keepTrusted  = time.Minute
	keepRefused  = 10 * time.Second
	keepClient   = time.Hour
)

// maxMetadataLife is the longest life of signed metadata (UDP-08).
const maxMetadataLife = 366 * 24 * time.Hour

// provider is an identity provider that is trusted.
type provider struct {
	idp       string
	community *udap.Community
	cred      udap.Credential
	// The endpoints are those that the provider signed.
	authorize, token, register string
	keys                       string
}

// kept is what is remembered of a provider.
type kept struct {
	provider *provider
	refused  error
	until    time.Time
	// client is the client_id of this server there, until clientUntil.
	client      string
	clientUntil time.Time
}

// Trusted reports whether people may log in at an identity provider. Errors:
// errs.InvalidIDP with code idp-not-trusted or idp-unavailable.
func (s *Service) Trusted(ctx context.Context, idp string) error {
	_, err := s.provider(ctx, idp)
	return err
}

// provider gives a trusted provider, asked for anew once a minute.
func (s *Service) provider(ctx context.Context, idp string) (*provider, error) {
	now := s.Clock.Now()
	if have := s.read(idp); now.Before(have.until) {
		return have.provider, have.refused
	}
	p, err := s.discover(ctx, idp, now)
	s.note(idp, err == nil, func(have *kept) {
		have.provider, have.refused, have.until = p, err, now.Add(keepTrusted)
		if err != nil {
			have.until = now.Add(keepRefused)
		}
	})
	return p, err
}

// read gives what is remembered of a provider, the zero value where that is
// nothing.
func (s *Service) read(idp string) kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.remembered(idp)
}

// note changes what is remembered of a provider; of one that is trusted it is not
// pushed out by what anybody else names.
func (s *Service) note(idp string, trusted bool, change func(*kept)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s.remembered(idp))
	if trusted {
		s.kept.Holds(idp, int64(len(idp)))
	}
}

// remembered is read and note without the lock, which is held.
func (s *Service) remembered(idp string) *kept {
	if s.kept == nil {
		s.kept = shelf.New[string, *kept](maxProviders, maxKeptBytes)
	}
	return s.kept.Entry(idp, func() *kept { return &kept{} })
}

// discover reads the provider's metadata in each community that lets it log
// people in here, until one is trusted.
func (s *Service) discover(ctx context.Context, idp string, now time.Time) (*provider, error) {
	refused := errNotTrusted("no trust community of this server lets it log people in")
	if !s.address(idp) {
		return nil, errNotTrusted("it must be an https URL without user, query and fragment")
	}
	for i := range s.Trust.Communities {
		c := &s.Trust.Communities[i]
		if len(c.PeopleOf(idp)) == 0 {
			continue
		}
		cred, err := c.Server(s.Base)
		if err != nil || cred.Validate(s.Base, now) != nil {
			continue
		}
		p := &provider{idp: idp, community: c, cred: cred}
		if err := s.metadata(ctx, p, now); err != nil {
			refused = err
			continue
		}
		if err := s.openID(ctx, p); err != nil {
			return nil, err
		}
		return p, nil
	}
	return nil, refused
}

// metadata is what counts of a provider's UDAP metadata.
type metadata struct {
	Profiles []string `json:"udap_profiles_supported"`
	Signed   string   `json:"signed_metadata"`
}

// signed are the claims of signed_metadata (UDP-08).
type signed struct {
	Issuer    string           `json:"iss"`
	Subject   string           `json:"sub"`
	Issued    *jwt.NumericDate `json:"iat"`
	Expires   *jwt.NumericDate `json:"exp"`
	Authorize string           `json:"authorization_endpoint"`
	Token     string           `json:"token_endpoint"`
	Register  string           `json:"registration_endpoint"`
}

// metadata verifies that the provider is a member of the community and takes its
// endpoints from what it signed. Errors: those of Trusted.
func (s *Service) metadata(ctx context.Context, p *provider, now time.Time) error {
	var m metadata
	at := strings.TrimSuffix(p.idp, "/") + "/.well-known/udap?" + url.Values{"community": {p.community.URI}}.Encode()
	if err := s.get(ctx, at, &m); err != nil {
		return err
	}
	if !slices.Contains(m.Profiles, "udap_to") {
		return errNotTrusted("its UDAP metadata do not have the profile udap_to")
	}
	jws, err := udap.ReadSigned(m.Signed)
	if err != nil {
		return errNotTrusted(errs.As(err).Msg)
	}
	var c signed
	if err := jws.Claims(&c); err != nil {
		return errNotTrusted(errs.As(err).Msg)
	}
	switch {
	case c.Issuer != p.idp || c.Subject != p.idp || !slices.Contains(udap.URIs(jws.Certificates[0]), p.idp):
		return errNotTrusted("its signed metadata, or their certificate, name somebody else")
	case c.Issued == nil || c.Expires == nil || c.Issued.Time().After(now.Add(openid.MaxSkew)) || !now.Before(c.Expires.Time()) ||
		c.Expires.Time().Sub(c.Issued.Time()) > maxMetadataLife:
		return errNotTrusted("its signed metadata are not valid at this time")
	case !s.address(c.Authorize) || !s.address(c.Token) || !s.address(c.Register):
		return errNotTrusted("its signed metadata lack an endpoint")
	}
	if _, err := s.Trust.Verify(ctx, jws.Certificates, p.community.URI); err != nil {
		return errNotTrusted(errs.As(err).Msg)
	}
	p.authorize, p.token, p.register = c.Authorize, c.Token, c.Register
	return nil
}

// openID reads where the provider's keys are (OIDC Discovery §4.3).
func (s *Service) openID(ctx context.Context, p *provider) error {
	var m struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := s.get(ctx, strings.TrimSuffix(p.idp, "/")+"/.well-known/openid-configuration", &m); err != nil {
		return err
	}
	if m.Issuer != p.idp || !s.address(m.Keys) {
		return errNotTrusted("its OpenID configuration names somebody else, or no keys")
	}
	p.keys = m.Keys
	return nil
}

// address reports whether a URL is one that this server asks, or sends people to.
func (s *Service) address(raw string) bool { return openid.Address(raw, s.Development) }

func errNotTrusted(why string) error {
	return errs.New(errs.InvalidIDP, "idp-not-trusted", "The identity provider that idp names is not trusted here: "+why)
}

func errAway(cause error) error {
	return errs.Wrap(cause, errs.InvalidIDP, "idp-unavailable", "The identity provider that idp names does not answer as it should.")
}
